/* SPDX-License-Identifier: Apache-2.0 */
/* launcher.c - `sluice launch` alone, so that its tests need nothing of tools/. */
#include "launch/launch.h"

int main(int argc, char **argv)
{
    return sl_launch_main(argc, argv);
}
