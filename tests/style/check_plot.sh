#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_plot.sh - the plot in the docs is what its script makes of the figures beside it.
#
# Usage: tests/style/check_plot.sh ROOT
set -euo pipefail
docs=$1/docs

if ! "$docs/plot_pollution.sh" "$docs/pollution.json" | cmp - "$docs/pollution.svg"; then
    echo "docs/pollution.svg is not that of docs/pollution.json: docs/plot_pollution.sh makes it"
    exit 1
fi
echo "plot: fine"
