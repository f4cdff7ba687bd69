/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/record.h"

int main(int argc, char **argv)
{
    return sl_program_main(&record_program, argc, argv);
}
