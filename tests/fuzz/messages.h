/* A valid message of each verb, made from the table of field rules: whoever adds a verb adds it
 * here without a word. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct message {
    uint8_t *bytes;
    size_t size;
};

/* Once a process, before messages_at. */
void messages_make(void);
size_t messages_count(void);
/* Several of each verb, which differ in the members of their oneofs. */
const struct message *messages_at(size_t index);
