#!/bin/bash -eu
exec "$SRC/hangup/fuzz/build.sh"
