/* A hostile PostgreSQL: valid messages, and a database that answers them with what the input says:
 * errors with and without SQLSTATE, other types, short rows, columns too many or too few, values
 * that cannot be true, answers that come early, never, or after a lost connection.
 *
 *   who and how (1), the numbers of two messages (1 each), how hard the times are if they are
 *   (1 each), the database's script */
#include "fuzz/database.h"
#include "fuzz/messages.h"
#include "fuzz/strain.h"
#include "fuzz/world.h"

enum {
    IS_OPERATOR = 1 << 0,
    LIES_EARLY = 1 << 1,
    IS_TWICE = 1 << 2,
    IS_PIPELINED = 1 << 3,
    MEMORY_FAILS = 1 << 4,
    TIME_PASSES = 1 << 5
};

#define LATE_MS 250 /* times a byte: up to a minute */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, bytes + size};
    uint8_t how = input_byte(&input);
    const struct message *messages[2];
    for (int i = 0; i < 2; i++)
        messages[i] = messages_at(input_byte(&input));
    unsigned piece = how & MEMORY_FAILS ? 1 + input_byte(&input) : 0;
    int64_t late_ms = how & TIME_PASSES ? LATE_MS * input_byte(&input) : 0;
    struct world *world = world_begin(how & IS_OPERATOR, &input, how & LIES_EARLY);
    world_greet(world);
    memory_fail(piece);
    for (int i = 0; i < (how & IS_TWICE ? 2 : 1); i++) {
        world_send(world, messages[i]->bytes, messages[i]->size);
        if (!(how & IS_PIPELINED))
            world_turn(world);
        if (late_ms)
            world_pass(world, late_ms);
    }
    world_end(world);
    return 0;
}
