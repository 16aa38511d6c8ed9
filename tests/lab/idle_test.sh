#!/bin/bash
# A lab at rest: seven daemons together take less than a fifth of one core.
# alone: it measures the processor
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/helpers.sh"
need_daemons ksd gmd espd gvsh

lab_up 1ks-3gm
load=$(lab_load 5)
check "an idle lab takes $load % of one core" awk -v l="$load" 'BEGIN {exit !(l < 20)}'
echo "idle: $load % of one core"
