/* SPDX-License-Identifier: Apache-2.0 */
#include "rosbag_compat/play.h"

int main(int argc, char **argv)
{
    return sl_program_main(&play_program, argc, argv);
}
