#include "damage.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "unit/random.h"
#include "util/error.h"

void damage_try(const struct damage *damage)
{
	uint8_t *good = malloc(damage->size);
	unsigned round, refused = 0, loaded = 0;
	uint32_t seed = damage->seed;

	memcpy(good, damage->file, damage->size);
	for (round = 0; round < damage->rounds; round++) {
		unsigned flips = random_next(&seed) % 4 + 1;
		size_t size = damage->size;
		int err;

		while (flips--) {
			uint8_t *at = damage->file + damage->from + random_next(&seed) % damage->len;

			*at ^= (uint8_t)(1u << random_next(&seed) % 8);
		}
		if (!(random_next(&seed) % 8))
			size = random_next(&seed) % size + 1;
		*damage->error = (struct error){0};
		err = damage->load(size);
		refused += err < 0;
		loaded += !err;
		ck_assert_int_le(err, 0);
		ck_assert_int_eq(damage->error->kind, err ? ERROR_IMAGE : ERROR_NONE);
		memcpy(damage->file, good, damage->size);
	}
	free(good);
	ck_assert_uint_gt(refused, damage->refused);
	ck_assert_uint_gt(loaded, damage->loaded);
}
