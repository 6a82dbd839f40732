#include "x86/reset_vector.h"

#include "util/bytes.h"
#include "x86/layout.h"

#define RESET_COLD 0x06 /* SYS_RST and RST_CPU */

void reset_vector_build(void *bytes)
{
	/* clang-format off */
	static const uint8_t code[RESET_VECTOR_SIZE] = {
		0xba, RESET_CONTROL_PORT & 0xff, RESET_CONTROL_PORT >> 8, /* mov dx, RESET_CONTROL_PORT */
		0xb0, RESET_COLD,                                         /* mov al, RESET_COLD */
		0xee,                                                     /* out dx, al */
		0xf4,                                                     /* hlt */
		0xeb, 0xfd,                                               /* jmp to the hlt */
	};
	/* clang-format on */

	memcpy(bytes, code, sizeof(code));
}
