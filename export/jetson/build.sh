#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the image for the JetPack of this board: export/jetson/build.sh [TAG]; afterwards run.sh starts it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
release=${JETSON_RELEASE:-$(sed -n 's/^# R\([0-9]*\) .*/\1/p' /etc/nv_tegra_release 2>/dev/null || true)}
tag=${1:-rvl_edge:jetson}

case $release in
36) set -- humble 'cuda-bindings>=12.8,<13' ;;  # CUDA 12.6, whose driver loads 12.x bindings
38 | 39) set -- jazzy 'cuda-bindings>=13,<14' ;;
*)
    echo "build.sh: no JetPack 6 or 7 board: got release '${release}', expected 36, 38 or 39 in /etc/nv_tegra_release." >&2
    echo "  Fix: run it on the board, or set JETSON_RELEASE where /etc/apt has a Jetson's sources." >&2
    exit 2
    ;;
esac

board=$(mktemp -d)
trap 'rm -rf "$board"' EXIT
mkdir "$board/sources.list.d" "$board/trusted.gpg.d"
cp "${APT:-/etc/apt}"/sources.list.d/nvidia-l4t-apt-source.list "$board/sources.list.d/"
cp "${APT:-/etc/apt}"/trusted.gpg.d/jetson-ota-public.asc "$board/trusted.gpg.d/"

"${DOCKER:-docker}" buildx build --tag "$tag" \
    --file "$root/export/jetson/Containerfile" --build-context "board=$board" \
    --build-arg "ROS_IMAGE=ros:$1-ros-base" --build-arg "CUDA_BINDINGS=$2" \
    "$root"
