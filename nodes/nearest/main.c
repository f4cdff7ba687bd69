/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/nearest/nearest.h"

int main(int argc, char **argv)
{
    return sl_program_main(&nearest_program, argc, argv);
}
