/* Each message into its handler: up to 7 messages of a terminal or an operator, through validator,
 * sessions, engine and store, in front of a database whose answers are the rest of the input.
 *
 *   who and how (1), then for each message its length (2, least significant first) and its bytes,
 *   or in place of a message a strain: its length is TIME_PASSES and milliseconds, or MEMORY_FAILS
 *   and which piece from now on; the database's script */
#include "fuzz/database.h"
#include "fuzz/strain.h"
#include "fuzz/world.h"

enum {
    IS_OPERATOR = 1 << 3,
    LIES_EARLY = 1 << 4,
    IS_UNGREETED = 1 << 5,
    IS_PIPELINED = 1 << 6,
    IS_CROWDED = 1 << 7
};
enum { TIME_PASSES = 0x8000, MEMORY_FAILS = 0xc000, AMOUNT = 0x3fff };

struct step {
    const uint8_t *bytes;
    size_t size, strain;
};

static struct step step_read(struct input *input)
{
    struct step step = {.strain = input_byte(input)};
    step.strain |= (size_t)input_byte(input) << 8;
    if (step.strain >= TIME_PASSES)
        return step;
    step.bytes = input_take(input, step.strain, &step.size);
    step.strain = 0;
    return step;
}

static void step_take(struct world *world, const struct step *step)
{
    if (step->strain >= MEMORY_FAILS)
        memory_fail(step->strain & AMOUNT);
    else if (step->strain)
        world_pass(world, (int64_t)(step->strain & AMOUNT));
    else
        world_send(world, step->bytes, step->size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, bytes + size};
    struct step steps[7];
    uint8_t how = input_byte(&input);
    for (int i = 0; i < (how & 7); i++)
        steps[i] = step_read(&input);
    struct world *world = world_begin(how & IS_OPERATOR, &input, how & LIES_EARLY);
    if (!(how & IS_UNGREETED))
        world_greet(world);
    if (how & IS_CROWDED)
        world_crowd(world);
    for (int i = 0; i < (how & 7); i++) {
        step_take(world, &steps[i]);
        if (!(how & IS_PIPELINED))
            world_turn(world);
    }
    world_end(world);
    return 0;
}
