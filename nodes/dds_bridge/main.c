/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/dds_bridge/bridge.h"

int main(int argc, char **argv)
{
    return sl_program_main(&bridge_program, argc, argv);
}
