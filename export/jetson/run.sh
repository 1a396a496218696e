#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts a command in the image: export/jetson/run.sh BUNDLES [COMMAND...]; without one, the node.
#
# BUNDLES is the board's folder of bundles; engines are built into it. The files of nvpmodel let
# `rvl-edge bench` say the power mode; ipc and network are the host's, so that DDS finds its other nodes. A
# container does not see the device tree, and the GPU of every Orin has the same name: the board's goes with it.
set -eu
bundles=$(cd "${1:?usage: run.sh BUNDLES [COMMAND...]}" && pwd)
shift
set -- "${IMAGE:-rvl_edge:jetson}" "$@"
for file in /etc/nv_tegra_release /etc/nvpmodel.conf /var/lib/nvpmodel/status; do
    [ -e "$file" ] && set -- --volume "$file:$file:ro" "$@"
done
board=$(tr -d '\0' 2>/dev/null <"${DEVICE_TREE:-/proc/device-tree}/model" || true)
[ -n "$board" ] && set -- --env "RVL_EDGE_BOARD=$board" "$@"
exec "${DOCKER:-docker}" run --rm --runtime nvidia --network host --ipc host \
    --volume "$bundles:/bundles" "$@"
