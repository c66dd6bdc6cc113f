# SPDX-License-Identifier: MIT
# e2fsprogs: what checks, repairs and makes ext4.
CFLAGS="-Os -w -ffunction-sections -fdata-sections" LDFLAGS=-Wl,--gc-sections configure --disable-nls --disable-defrag \
    --disable-imager --disable-resizer --disable-debugfs --disable-fuse2fs --disable-uuidd --disable-tdb \
    --disable-bmap-stats --disable-mmp --without-pthread
build libs
build -C e2fsck e2fsck
build -C misc mke2fs
mkdir -p "$OUT/sbin"
cp e2fsck/e2fsck misc/mke2fs "$OUT/sbin"
install -D -m 0644 misc/mke2fs.conf "$OUT/etc/mke2fs.conf"
for name in ext2 ext3 ext4; do ln -sf e2fsck "$OUT/sbin/fsck.$name" && ln -sf mke2fs "$OUT/sbin/mkfs.$name"; done
