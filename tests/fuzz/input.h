/* Reads a fuzzer's input piece by piece. What lies behind its end is zeros, so that each input,
 * however short, means something. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
    const uint8_t *at, *end;
};

static inline uint8_t input_byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static inline size_t input_left(const struct input *input)
{
    return (size_t)(input->end - input->at);
}

/* At most `wanted` bytes, *size_out of them. */
static inline const uint8_t *input_take(struct input *input, size_t wanted, size_t *size_out)
{
    const uint8_t *bytes = input->at;
    *size_out = wanted < input_left(input) ? wanted : input_left(input);
    input->at += *size_out;
    return bytes;
}

static inline uint64_t input_number(struct input *input)
{
    uint64_t number = 0;
    size_t size;
    const uint8_t *bytes = input_take(input, sizeof number, &size);
    if (size)
        memcpy(&number, bytes, size);
    return number;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
