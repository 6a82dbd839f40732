/* Kernels whose file is compressed as a whole: vmlinux.gz, vmlinux.xz, Image.zst. */
#pragma once

#include <stdint.h>

struct error;
struct image;

/*
 * If the file is compressed (gzip, xz or zstd, told by its magic), *image becomes what is in it, in memory, and
 * image->compression says so; any other file is left as it is. As with gzip(1) and xz(1), members may follow each
 * other; what else follows the last one is ignored. 0, or -errno and *error (ERROR_IMAGE): damaged, truncated,
 * empty, compressed twice, or more than max bytes, which the guest's memory sets. *image is the same then.
 */
int image_unpack(struct image *image, uint64_t max, struct error *error);
