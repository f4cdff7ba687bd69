/* SPDX-License-Identifier: Apache-2.0 */
/* velodyne.c - the data packet and who sent it.
 *
 * VLP-16 User Manual 63-9243, section 9.3. All little endian.
 *
 *      0    2    4                                 100            1200     1204  1205  1206
 *      | FF EE | azimuth | 32 x (distance u16, intensity u8) | ... 12 blocks | stamp | mode | id |
 *
 * Two returns: blocks 2i and 2i+1 are the same columns. Block 2i holds the last return, block 2i+1
 * the strongest, or the second strongest where the last is the strongest. So the even blocks alone
 * are a complete cloud, and they are our first return.
 *
 * Sensors of more than 32 lasers send a column in as many blocks as they have banks of 32, each
 * with its own flag and all with one azimuth:
 *
 *      one return   EE DD CC BB  EE DD CC BB  EE DD CC BB          three columns
 *      two returns  EE EE DD DD CC CC BB BB  (four blocks unused)  one column
 */
#include "drivers/lidar/velodyne.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/base/bytes.h"
#include "core/base/error.h"

#define BLOCK_BYTES        100
#define BLOCK_COUNT        12
#define BLOCK_AZIMUTH      2
#define BLOCK_ELEMENTS     4
#define STAMP_OFFSET       1200
#define RETURN_MODE_OFFSET 1204
#define PRODUCT_ID_OFFSET  1205
#define RETURN_MODE_STRONG 0x37
#define RETURN_MODE_LAST   0x38
#define RETURN_MODE_DUAL   0x39
#define FLAG_BANK_0        0xEEFF
#define HOUR_US            UINT32_C(3600000000)
/* A step between stamps may be that of a few packets, where packets are lost. */
#define IDENTIFY_STEPS_LOST 4
#define IDENTIFY_SHARE      0.01f /* of a step: stamps are whole microseconds */

/* Of the four laser banks; the smaller sensors have the first only. */
static const uint16_t bank_flags[] = {FLAG_BANK_0, 0xDDFF, 0xCCFF, 0xBBFF};

static bool is_bank_flag(uint16_t flag)
{
    for (size_t i = 0; i < sizeof bank_flags / sizeof bank_flags[0]; i++) {
        if (flag == bank_flags[i])
            return true;
    }
    return false;
}

/* The four blocks that 128 lasers leave over with two returns hold whatever. */
static unsigned used_blocks(const uint8_t *bytes)
{
    bool is_of_128 = sl_get_le16(bytes + 2 * BLOCK_BYTES) == bank_flags[1];
    return is_of_128 && velodyne_data_returns(bytes) == 2 ? 8 : BLOCK_COUNT;
}

enum lidar_count velodyne_data_check(const uint8_t *bytes, size_t size_bytes)
{
    if (size_bytes < VELODYNE_DATA_BYTES)
        return LIDAR_BAD_SHORT;
    if (size_bytes > VELODYNE_DATA_BYTES)
        return LIDAR_BAD_LONG;
    unsigned used = used_blocks(bytes);
    for (unsigned i = 0; i < used; i++) {
        const uint8_t *block = bytes + i * BLOCK_BYTES;
        if (!is_bank_flag(sl_get_le16(block)))
            return LIDAR_BAD_FLAG;
        /* Early firmware writes a whole turn now and then where it means 0. */
        if (sl_get_le16(block + BLOCK_AZIMUTH) > LIDAR_AZIMUTH_UNITS)
            return LIDAR_BAD_AZIMUTH;
    }
    uint8_t mode = bytes[RETURN_MODE_OFFSET];
    if (mode < RETURN_MODE_STRONG || mode > RETURN_MODE_DUAL)
        return LIDAR_BAD_RETURN_MODE;
    return LIDAR_PACKETS;
}

uint32_t velodyne_data_stamp_us(const uint8_t *bytes)
{
    return sl_get_le32(bytes + STAMP_OFFSET);
}

uint8_t velodyne_data_product_id(const uint8_t *bytes)
{
    return bytes[PRODUCT_ID_OFFSET];
}

unsigned velodyne_data_returns(const uint8_t *bytes)
{
    return bytes[RETURN_MODE_OFFSET] == RETURN_MODE_DUAL ? 2 : 1;
}

/* A group's blocks, whose flags tell the banks, have one azimuth. */
static enum lidar_count check_group(const struct lidar_model *model, const uint8_t *group,
                                    unsigned returns)
{
    uint16_t azimuth = sl_get_le16(group + BLOCK_AZIMUTH) % LIDAR_AZIMUTH_UNITS;
    for (unsigned bank = 0; bank < model->blocks_per_column; bank++) {
        for (unsigned which = 0; which < returns; which++, group += BLOCK_BYTES) {
            if (sl_get_le16(group) != bank_flags[bank])
                return LIDAR_BAD_FLAG;
            if (sl_get_le16(group + BLOCK_AZIMUTH) % LIDAR_AZIMUTH_UNITS != azimuth)
                return LIDAR_BAD_AZIMUTH;
        }
    }
    return LIDAR_PACKETS;
}

enum lidar_count velodyne_data_parse(const struct lidar_model *model, const uint8_t *bytes,
                                     struct lidar_packet *ret_packet)
{
    unsigned returns = velodyne_data_returns(bytes);
    unsigned groups = lidar_model_groups(model, returns);
    for (unsigned i = 0; i < groups; i++) {
        const uint8_t *group = bytes + (size_t)i * model->blocks_per_column * returns * BLOCK_BYTES;
        enum lidar_count verdict = check_group(model, group, returns);
        if (verdict != LIDAR_PACKETS)
            return verdict;
        ret_packet->azimuth[i] = sl_get_le16(group + BLOCK_AZIMUTH) % LIDAR_AZIMUTH_UNITS;
        ret_packet->wire[0][i] = group + BLOCK_ELEMENTS;
        ret_packet->wire[1][i] = group + (returns - 1) * BLOCK_BYTES + BLOCK_ELEMENTS;
    }
    ret_packet->model = model;
    ret_packet->stamp_us = velodyne_data_stamp_us(bytes);
    ret_packet->returns = (uint8_t)returns;
    ret_packet->group_count = (uint8_t)groups;
    return LIDAR_PACKETS;
}

const struct lidar_model *velodyne_model_find(const char *name)
{
    for (const struct lidar_model *const *model = velodyne_models; *model; model++) {
        if (strcasecmp(name, (*model)->name) == 0)
            return *model;
        for (unsigned i = 0; i < LIDAR_ALIASES_MAX; i++) {
            if ((*model)->aliases[i] && strcasecmp(name, (*model)->aliases[i]) == 0)
                return *model;
        }
    }
    return NULL;
}

bool velodyne_models_agree(const struct lidar_model *one, const struct lidar_model *other)
{
    return one->product_id == other->product_id;
}

static bool is_candidate(const struct lidar_identity *identity, uint8_t product_id)
{
    return identity->product_id == product_id ||
           (identity->early_product_id != 0 && identity->early_product_id == product_id);
}

static const struct lidar_identity *identity_of(uint8_t product_id)
{
    for (const struct lidar_identity *identity = velodyne_identities; identity->name; identity++) {
        if (identity->product_id == product_id)
            return identity;
    }
    return NULL;
}

/* Is the step that of this sensor, or of a few of its packets? */
static bool step_fits(const struct lidar_identity *identity, uint32_t step_us, unsigned returns)
{
    float expected_us = returns == 2 ? identity->step_dual_us : identity->step_single_us;
    float share = identity->share > 0 ? identity->share : IDENTIFY_SHARE;
    float packets = roundf((float)step_us / expected_us);
    if (packets < 1 || packets > IDENTIFY_STEPS_LOST)
        return false;
    return fabsf((float)step_us - packets * expected_us) <= 1 + share * expected_us;
}

static int not_told(const struct velodyne_identify *state)
{
    const struct lidar_identity *identity = identity_of(state->product_id);
    if (!identity)
        return sl_error(-EPROTO, "packets carry the unknown product id 0x%02x; is it a Velodyne?",
                        state->product_id);
    return sl_error(
        -EPROTO,
        "packets carry the product id of a %s, but their stamps are %u us apart; another "
        "sensor on the same port, or heavy loss?",
        identity->name, velodyne_identify_step_us(state));
}

uint32_t velodyne_identify_step_us(const struct velodyne_identify *state)
{
    uint32_t sorted[VELODYNE_IDENTIFY_PACKETS];
    unsigned count = state->packets > 0 ? state->packets - 1 : 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;
        for (; at > 0 && sorted[at - 1] > state->step_us[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = state->step_us[i];
    }
    return count > 0 ? sorted[count / 2] : 0;
}

static const struct lidar_identity *vote(struct velodyne_identify *state, uint32_t step_us,
                                         unsigned returns)
{
    bool is_last = state->packets + 1 == VELODYNE_IDENTIFY_PACKETS;
    for (unsigned i = 0; velodyne_identities[i].name; i++) {
        const struct lidar_identity *identity = &velodyne_identities[i];
        if (!is_candidate(identity, state->product_id))
            continue;
        state->votes[i] = (uint8_t)(state->votes[i] + step_fits(identity, step_us, returns));
        bool is_measured = identity->model->steps_per_column == 0 || is_last;
        if (is_measured && state->votes[i] >= VELODYNE_IDENTIFY_VOTES)
            return identity;
    }
    return NULL;
}

int velodyne_identify(struct velodyne_identify *state, const uint8_t *bytes,
                      const struct lidar_model **ret_model)
{
    uint32_t stamp_us = velodyne_data_stamp_us(bytes);
    uint8_t product_id = velodyne_data_product_id(bytes);
    const struct lidar_identity *told = NULL;
    if (state->packets > 0 && product_id != state->product_id)
        memset(state->votes, 0, sizeof state->votes);
    state->product_id = product_id;
    if (state->packets > 0) {
        uint32_t step_us =
            (uint32_t)(((uint64_t)stamp_us + 2 * (uint64_t)HOUR_US - state->last_stamp_us) %
                       HOUR_US);
        state->step_us[state->packets - 1] = step_us;
        told = vote(state, step_us, velodyne_data_returns(bytes));
    }
    state->packets++;
    state->last_stamp_us = stamp_us;
    if (told) {
        *ret_model = told->model;
        return 0;
    }
    return state->packets < VELODYNE_IDENTIFY_PACKETS ? -EAGAIN : not_told(state);
}
