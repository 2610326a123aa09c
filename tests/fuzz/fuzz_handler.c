/* Each message into its handler: up to 7 messages of a terminal or an operator, through validator,
 * sessions, engine and store, in front of a database whose answers are the rest of the input.
 *
 *   who and how (1), then for each message its length (2, least significant first) and its bytes;
 *   the database's script */
#include "fuzz/database.h"
#include "fuzz/messages.h"
#include "fuzz/world.h"

enum { IS_OPERATOR = 1 << 3, LIES_EARLY = 1 << 4, IS_UNGREETED = 1 << 5, IS_PIPELINED = 1 << 6 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    world_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct input input = {bytes, bytes + size};
    const uint8_t *messages[8];
    size_t sizes[8];
    uint8_t how = input_byte(&input);
    for (int i = 0; i < (how & 7); i++) {
        size_t length = input_byte(&input);
        length |= (size_t)input_byte(&input) << 8;
        messages[i] = input_take(&input, length, &sizes[i]);
    }
    struct world *world = world_begin(how & IS_OPERATOR, &input, how & LIES_EARLY);
    if (!(how & IS_UNGREETED))
        world_greet(world);
    for (int i = 0; i < (how & 7); i++) {
        world_send(world, messages[i], sizes[i]);
        if (!(how & IS_PIPELINED))
            world_turn(world);
    }
    world_end(world);
    return 0;
}
