/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/monitor/monitor.h"

int main(int argc, char **argv)
{
    return sl_program_main(&monitor_program, argc, argv);
}
