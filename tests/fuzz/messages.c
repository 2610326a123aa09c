/* Owns the messages that harnesses send; see messages.h. */
#include "fuzz/messages.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "fuzz/database.h"
#include "loyal/v1/envelope.pb-c.h"
#include "rules.h"
#include "validate.h"

#define VARIANTS     8
#define MESSAGES_MAX 256

static struct {
    struct message all[MESSAGES_MAX];
    size_t count;
} made;

/* What is under construction: which member of each oneof is taken. */
struct making {
    struct arena arena;
    unsigned variant; /* of the message: which members of oneofs, whether all fields */
    unsigned depth;   /* of what is made now */
    uint8_t key;
};

static ProtobufCMessage *message_make(struct making *making,
                                      const ProtobufCMessageDescriptor *type);

static int64_t integer_of(const struct making *making, const struct rule *rule,
                          const ProtobufCFieldDescriptor *field)
{
    if (!strcmp(field->name, "kind"))
        return 1 + making->variant % 3;
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return 1;
    if (rule && rule->form == RULE_DATE)
        return 20260201;
    if (!strcmp(field->name, "occurred_at_us") || !strcmp(field->name, "until_us"))
        return FAKE_NOW_US;
    if (!strcmp(field->name, "from_us"))
        return FAKE_NOW_US - 1000000;
    if (!strcmp(field->name, "amount_minor"))
        return 10000;
    return rule && rule->min > 1 ? rule->min : 1;
}

static const char *text_of(const struct making *making, const struct rule *rule,
                           const ProtobufCFieldDescriptor *field)
{
    static const char *const identifiers[] = {"9826001", "+44 1632 960001", "ann@example.com"};
    if (rule && rule->form == RULE_CURRENCY)
        return "EUR";
    if (!strcmp(field->name, "merchant") || !strcmp(field->name, "recipient"))
        return "alpha";
    if (!strcmp(field->name, "source"))
        return "beta";
    return !strcmp(field->name, "value") ? identifiers[making->variant % 3] : "1";
}

static ProtobufCBinaryData bytes_of(struct making *making, const struct rule *rule,
                                    const ProtobufCFieldDescriptor *field)
{
    size_t size = !strcmp(field->name, "cursor") ? 1
                  : rule && rule->min > 1        ? (size_t)rule->min
                                                 : RULE_REF_BYTES;
    uint8_t *bytes = arena_alloc(&making->arena, size);
    if (rule && rule->form == RULE_UUID7) {
        uint8_t tail[10] = {[9] = making->key++};
        struct uuid key = uuid_compose(FAKE_NOW_US, tail);
        memcpy(bytes, key.bytes, UUID_BYTES);
    }
    return (ProtobufCBinaryData){size, bytes};
}

static void value_put(struct making *making, const ProtobufCFieldDescriptor *field,
                      const struct rule *rule, void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)at = message_make(making, field->descriptor);
        break;
    case PROTOBUF_C_TYPE_STRING: *(const char **)at = text_of(making, rule, field); break;
    case PROTOBUF_C_TYPE_BYTES: *(ProtobufCBinaryData *)at = bytes_of(making, rule, field); break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64: *(int64_t *)at = integer_of(making, rule, field); break;
    default: *(int32_t *)at = (int32_t)integer_of(making, rule, field); break;
    }
}

static void repeated_put(struct making *making, const ProtobufCFieldDescriptor *field, char *base)
{
    void *element = arena_alloc(&making->arena, sizeof(ProtobufCBinaryData));
    value_put(making, field, NULL, element);
    *(size_t *)(void *)(base + field->quantifier_offset) = 1;
    *(void **)(void *)(base + field->offset) = element;
}

/* Some variants of a message leave out what need not be there, some leave out nothing. */
static bool is_wanted(const struct making *making, const struct rule *rule,
                      const ProtobufCFieldDescriptor *field)
{
    bool is_required = rule && rule->required;
    if (!strcmp(field->name, "standing") || !strcmp(field->name, "reason") ||
        !strcmp(field->name, "channel") || !strcmp(field->name, "cursor"))
        return is_required || making->variant % 4 == 2;
    return is_required || making->variant % 4 > 0;
}

static ProtobufCMessage *message_make(struct making *making, const ProtobufCMessageDescriptor *type)
{
    const struct rule *rules = rules_of(type);
    char *base = arena_alloc(&making->arena, type->sizeof_message);
    unsigned oneof_members = 0, taken = 0, wanted = making->variant >> making->depth++;
    protobuf_c_message_init(type, base);
    for (unsigned i = 0; i < type->n_fields; i++)
        oneof_members += (type->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        const struct rule *rule = rules ? &rules[i] : NULL;
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            if (taken++ != wanted % oneof_members)
                continue;
            *(uint32_t *)(void *)(base + field->quantifier_offset) = field->id;
        } else if (!is_wanted(making, rule, field)) {
            continue;
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            repeated_put(making, field, base);
        else
            value_put(making, field, rule, base + field->offset);
    }
    making->depth--;
    return (ProtobufCMessage *)(void *)base;
}

static void message_keep(struct making *making, const ProtobufCFieldDescriptor *field)
{
    Loyal__V1__Request request = LOYAL__V1__REQUEST__INIT;
    struct validation validation;
    request.id = 2;
    request.body_case = (Loyal__V1__Request__BodyCase)field->id;
    request.hello = (void *)message_make(making, field->descriptor);
    struct message *message = &made.all[made.count++];
    assert(made.count <= MESSAGES_MAX);
    message->bytes = malloc(loyal__v1__request__get_packed_size(&request));
    assert(message->bytes);
    message->size = loyal__v1__request__pack(&request, message->bytes);
    if (!validate_message(&loyal__v1__request__descriptor, message->bytes, message->size, 0,
                          &validation)) {
        fprintf(stderr, "%s: %s\n", validation.field, validation.text);
        abort();
    }
}

void messages_make(void)
{
    const ProtobufCMessageDescriptor *type = &loyal__v1__request__descriptor;
    struct making making = {.key = 0};
    arena_init(&making.arena, 1 << 20);
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (!(type->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF))
            continue;
        for (making.variant = 0; making.variant < VARIANTS; making.variant++)
            message_keep(&making, &type->fields[i]);
    }
    arena_free(&making.arena);
}

size_t messages_count(void)
{
    return made.count;
}

const struct message *messages_at(size_t index)
{
    return &made.all[index % made.count];
}
