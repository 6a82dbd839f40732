#include "devices/i8042.h"

/* Commands and bits: IBM PS/2 Hardware Interface Technical Reference, "Keyboard Controller". */

/* The status register */
#define STATUS_OUTPUT_FULL 0x01
#define STATUS_SYSTEM      0x04 /* the self-test has passed */
#define STATUS_COMMAND     0x08 /* the last write was a command */
#define STATUS_UNLOCKED    0x10 /* the keylock of old; Linux warns when this is clear */
#define STATUS_AUX         0x20 /* the byte is the mouse's */
#define STATUS_TIMEOUT     0x40 /* the device did not answer, and the byte is a stand-in */
#define STATUS_OF_BYTE     (STATUS_OUTPUT_FULL | STATUS_AUX | STATUS_TIMEOUT)

/* The config byte */
#define CONFIG_KEYBOARD_IRQ 0x01
#define CONFIG_SYSTEM       0x04
#define CONFIG_KEYBOARD_OFF 0x10
#define CONFIG_AUX_OFF      0x20
#define CONFIG_TRANSLATE    0x40
#define CONFIG_WRITABLE     0x7f

/* The output port */
#define OUTPUT_NO_RESET 0x01 /* low: the CPU is held in reset */
#define OUTPUT_A20      0x02

enum {
	COMMAND_READ_CONFIG = 0x20,
	COMMAND_WRITE_CONFIG = 0x60,
	COMMAND_AUX_DISABLE = 0xa7,
	COMMAND_AUX_ENABLE = 0xa8,
	COMMAND_AUX_TEST = 0xa9,
	COMMAND_SELF_TEST = 0xaa,
	COMMAND_KEYBOARD_TEST = 0xab,
	COMMAND_KEYBOARD_DISABLE = 0xad,
	COMMAND_KEYBOARD_ENABLE = 0xae,
	COMMAND_READ_INPUT_PORT = 0xc0,
	COMMAND_READ_OUTPUT_PORT = 0xd0,
	COMMAND_WRITE_OUTPUT_PORT = 0xd1,
	COMMAND_WRITE_KEYBOARD_BUFFER = 0xd2,
	COMMAND_WRITE_AUX_BUFFER = 0xd3,
	COMMAND_WRITE_AUX = 0xd4,
	COMMAND_PULSE = 0xf0, /* to 0xff: pulses the output port's lines whose bit is 0 */
};

#define SELF_TEST_PASSED 0x55
#define LINES_GOOD       0x00
#define CLOCK_STUCK_HIGH 0x02
#define INPUT_UNLOCKED   0x80
#define DEVICE_RESEND    0xfe

static void i8042_update_irq(struct i8042 *chip)
{
	const struct i8042_state *state = &chip->state;

	irq_set(&chip->irq, (state->status & STATUS_OUTPUT_FULL) && !(state->status & STATUS_AUX) &&
				    (state->config & CONFIG_KEYBOARD_IRQ));
}

/* A byte that nobody fetched is lost, as in the chip. */
static void i8042_answer(struct i8042_state *state, uint8_t byte, uint8_t flags)
{
	state->output = byte;
	state->status = (state->status & ~STATUS_OF_BYTE) | STATUS_OUTPUT_FULL | flags;
}

/* Ctrl, Alt and Del down, then up again. */
static const uint8_t ctrl_alt_del[] = {0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d};

/* The next scan code, when the one before was fetched. */
static void i8042_type(struct i8042 *chip)
{
	struct i8042_state *state = &chip->state;

	if (state->keys && !(state->status & STATUS_OUTPUT_FULL) && !(state->config & CONFIG_KEYBOARD_OFF))
		i8042_answer(state, ctrl_alt_del[sizeof(ctrl_alt_del) - state->keys--], 0);
	i8042_update_irq(chip);
}

static void i8042_set_output_port(struct i8042 *chip, uint8_t value)
{
	chip->state.output_port = (value & OUTPUT_A20) | OUTPUT_NO_RESET;
	if (!(value & OUTPUT_NO_RESET))
		power_request(&chip->power, POWER_RESET, 0);
}

/* AUX_OFF is stuck at 1: there is no second port to switch on, which is how guests look for one. */
static void i8042_set_config(struct i8042_state *state, uint8_t value)
{
	state->config = (value & CONFIG_WRITABLE) | CONFIG_AUX_OFF;
	if (value & CONFIG_SYSTEM)
		state->status |= STATUS_SYSTEM;
	else
		state->status &= ~STATUS_SYSTEM;
}

static void i8042_command(struct i8042 *chip, uint8_t command)
{
	struct i8042_state *state = &chip->state;

	state->status |= STATUS_COMMAND;
	state->expect = 0;
	switch (command) {
	case COMMAND_READ_CONFIG:
		i8042_answer(state, state->config, 0);
		break;
	case COMMAND_WRITE_CONFIG:
	case COMMAND_WRITE_OUTPUT_PORT:
	case COMMAND_WRITE_KEYBOARD_BUFFER:
	case COMMAND_WRITE_AUX_BUFFER:
	case COMMAND_WRITE_AUX:
		state->expect = command;
		break;
	case COMMAND_AUX_TEST:
		i8042_answer(state, CLOCK_STUCK_HIGH, 0); /* nothing pulls it: no mouse */
		break;
	case COMMAND_SELF_TEST:
		i8042_set_config(state, state->config | CONFIG_SYSTEM);
		i8042_answer(state, SELF_TEST_PASSED, 0);
		break;
	case COMMAND_KEYBOARD_TEST:
		i8042_answer(state, LINES_GOOD, 0);
		break;
	case COMMAND_KEYBOARD_DISABLE:
		state->config |= CONFIG_KEYBOARD_OFF;
		break;
	case COMMAND_KEYBOARD_ENABLE:
		state->config &= ~CONFIG_KEYBOARD_OFF;
		break;
	case COMMAND_READ_INPUT_PORT:
		i8042_answer(state, INPUT_UNLOCKED, 0);
		break;
	case COMMAND_READ_OUTPUT_PORT:
		i8042_answer(state, state->output_port, 0);
		break;
	case COMMAND_AUX_DISABLE:
	case COMMAND_AUX_ENABLE:
		break;
	default:
		if (command >= COMMAND_PULSE && !(command & OUTPUT_NO_RESET))
			power_request(&chip->power, POWER_RESET, 0);
		break;
	}
}

/*
 * Linux waits half a second for each answer it misses, so everything that it asks is answered at
 * once: the loop-back of the mouse's buffer with a byte that is not the mouse's, and bytes for the
 * devices with "resend" and the time-out flag, which is what the chip itself says of a device that
 * is not there.
 */
static void i8042_data(struct i8042 *chip, uint8_t byte)
{
	struct i8042_state *state = &chip->state;
	uint8_t command = state->expect;

	state->status &= ~STATUS_COMMAND;
	state->expect = 0;
	switch (command) {
	case COMMAND_WRITE_CONFIG:
		i8042_set_config(state, byte);
		break;
	case COMMAND_WRITE_OUTPUT_PORT:
		i8042_set_output_port(chip, byte);
		break;
	case COMMAND_WRITE_KEYBOARD_BUFFER:
	case COMMAND_WRITE_AUX_BUFFER:
		i8042_answer(state, byte, 0);
		break;
	case COMMAND_WRITE_AUX:
		i8042_answer(state, DEVICE_RESEND, STATUS_AUX | STATUS_TIMEOUT);
		break;
	default:
		i8042_answer(state, DEVICE_RESEND, STATUS_TIMEOUT);
		break;
	}
}

static uint64_t i8042_data_read(void *dev, uint64_t offset, unsigned size)
{
	struct i8042 *chip = dev;
	uint8_t byte;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&chip->lock);
	byte = chip->state.output; /* the last byte again when there is no new one */
	chip->state.status &= ~STATUS_OF_BYTE;
	i8042_update_irq(chip); /* low at first: the line's rise is what interrupts */
	i8042_type(chip);
	pthread_mutex_unlock(&chip->lock);
	return byte;
}

static void i8042_data_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct i8042 *chip = dev;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&chip->lock);
	i8042_data(chip, (uint8_t)value);
	i8042_type(chip);
	pthread_mutex_unlock(&chip->lock);
}

static uint64_t i8042_status_read(void *dev, uint64_t offset, unsigned size)
{
	struct i8042 *chip = dev;
	uint8_t status;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&chip->lock);
	status = chip->state.status;
	pthread_mutex_unlock(&chip->lock);
	return status;
}

static void i8042_command_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct i8042 *chip = dev;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&chip->lock);
	i8042_command(chip, (uint8_t)value);
	i8042_type(chip);
	pthread_mutex_unlock(&chip->lock);
}

const struct bus_ops i8042_data_ops = {
	.read = i8042_data_read,
	.write = i8042_data_write,
	.sizes = 1,
};

const struct bus_ops i8042_command_ops = {
	.read = i8042_status_read,
	.write = i8042_command_write,
	.sizes = 1,
};

void i8042_press_ctrl_alt_del(struct i8042 *chip)
{
	const struct i8042_state *state = &chip->state;

	pthread_mutex_lock(&chip->lock);
	if ((state->config & CONFIG_KEYBOARD_IRQ) && !(state->config & CONFIG_KEYBOARD_OFF) && !state->keys) {
		chip->state.keys = sizeof(ctrl_alt_del);
		i8042_type(chip);
	}
	pthread_mutex_unlock(&chip->lock);
}

/* As firmware leaves it: most guests start without any. */
void i8042_init(struct i8042 *chip, const struct i8042_config *config)
{
	*chip = (struct i8042){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.power = config->power,
		.irq = config->irq,
		.state =
			{
				.status = STATUS_SYSTEM | STATUS_UNLOCKED,
				.config = CONFIG_KEYBOARD_IRQ | CONFIG_SYSTEM | CONFIG_AUX_OFF |
	                                  CONFIG_TRANSLATE,
				.output_port = OUTPUT_NO_RESET | OUTPUT_A20,
			},
	};
}

void i8042_fini(struct i8042 *chip)
{
	pthread_mutex_destroy(&chip->lock);
}
