/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/pattern/pattern.h"

int main(int argc, char **argv)
{
    return sl_program_main(&pattern_program, argc, argv);
}
