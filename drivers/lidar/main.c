/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/lidar/driver.h"

int main(int argc, char **argv)
{
    return sl_program_main(&lidar_program, argc, argv);
}
