#!/bin/sh
# numba uses machine code it finds only in a directory it may write to; the image is read-only, /tmp is not.
cp -R /opt/fengqiao/machine-code "$NUMBA_CACHE_DIR"
exec "$@"
