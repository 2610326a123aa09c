/* Seals and opens cursors. Called by the handlers of long lists; knows no list. */
#include "session/cursor.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "body_hash.h"
#include "outcome.h"
#include "session/verb.h"

#define HOUR_US     INT64_C(3600000000)
#define NONCE_BYTES 12
#define TAG_BYTES   16
#define HEAD_BYTES  (1 + NONCE_BYTES)
#define PLAIN_MAX   (8 + CURSOR_PLACE_BYTES_MAX)
#define SCOPE_BYTES (4 + 1 + 4 + BODY_HASH_BYTES)

static void *field_of(const ProtobufCMessage *body, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(body->descriptor, name);
    return field ? (char *)(uintptr_t)body + field->offset : NULL;
}

/* Who asks what: the request's body is as it was afterwards. */
static void scope_of(const struct request *request, const ProtobufCMessage *body,
                     uint8_t scope_out[SCOPE_BYTES])
{
    const struct session *session = request->session;
    ProtobufCBinaryData *cursor = field_of(body, "cursor"), none = {0}, kept = *cursor;
    uint32_t *rows = field_of(body, "page_rows"), rows_kept = rows ? *rows : 0;
    uint8_t *at = put_u32(scope_out, (uint32_t)session->merchant_id);
    *at++ = (uint8_t)session->identity.role;
    at = put_u32(at, (uint32_t)request->message->body_case);
    *cursor = none;
    if (rows)
        *rows = 0;
    body_hash(body, at);
    *cursor = kept;
    if (rows)
        *rows = rows_kept;
}

/* One AES-256-GCM over plain or sealed bytes of size, with the tag at its end. */
struct sealing {
    const uint8_t *key, *nonce, *scope;
    const uint8_t *from;
    uint8_t *to;
    size_t size;
    bool is_short; /* OpenSSL had no memory: that says nothing about what was opened */
};

static bool seal(struct sealing *sealing, uint8_t *tag, bool seals)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int written = 0, rest = 0;
    bool done =
        context &&
        EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, sealing->key, sealing->nonce, seals) ==
            1 &&
        EVP_CipherUpdate(context, NULL, &written, sealing->scope, SCOPE_BYTES) == 1 &&
        EVP_CipherUpdate(context, sealing->to, &written, sealing->from, (int)sealing->size) == 1;
    sealing->is_short = !done;
    if (done && !seals)
        done = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1;
    done = done && EVP_CipherFinal_ex(context, sealing->to + written, &rest) == 1;
    if (done && seals)
        done = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;
    EVP_CIPHER_CTX_free(context);
    return done;
}

/* OK, or why not. */
static int open_place(struct request *request, const ProtobufCMessage *body, struct page *page)
{
    const struct worker *worker = request->session->worker;
    const ProtobufCBinaryData *cursor = field_of(body, "cursor");
    uint8_t key[HASH_BYTES], scope[SCOPE_BYTES], plain[PLAIN_MAX], tag[TAG_BYTES];
    if (cursor->len < HEAD_BYTES + 8 + TAG_BYTES ||
        cursor->len > HEAD_BYTES + PLAIN_MAX + TAG_BYTES)
        return OUTCOME_CODE(CURSOR_INVALID);
    size_t size = cursor->len - HEAD_BYTES - TAG_BYTES;
    memcpy(tag, cursor->data + cursor->len - TAG_BYTES, TAG_BYTES);
    struct sealing sealing = {.key = key,
                              .nonce = cursor->data + 1,
                              .scope = scope,
                              .from = cursor->data + HEAD_BYTES,
                              .to = plain,
                              .size = size};
    scope_of(request, body, scope);
    bool good = keyring_cursor_key(worker->keyring, cursor->data[0], key) &&
                seal(&sealing, tag, false) &&
                (int64_t)get_u64(plain) > domain_clock_us(worker->clock);
    OPENSSL_cleanse(key, sizeof key);
    if (!good)
        return sealing.is_short ? OUTCOME_CODE(OVERLOADED) : OUTCOME_CODE(CURSOR_INVALID);
    page->size = size - 8;
    memcpy(page->place, plain + 8, page->size);
    return OUTCOME_CODE(OK);
}

bool page_open(struct request *request, const ProtobufCMessage *body, struct page *page_out)
{
    const ProtobufCBinaryData *cursor = field_of(body, "cursor");
    const uint32_t *rows = field_of(body, "page_rows");
    memset(page_out, 0, sizeof *page_out);
    page_out->rows = rows && *rows ? (int)*rows : PAGE_ROWS_DEFAULT;
    page_out->is_first = cursor->len == 0;
    int code = page_out->is_first ? OUTCOME_CODE(OK) : open_place(request, body, page_out);
    if (code != OUTCOME_CODE(OK))
        request_answer_code(request, code);
    return code == OUTCOME_CODE(OK);
}

bool page_seal(struct request *request, const ProtobufCMessage *body, const struct page_end *end,
               ProtobufCBinaryData *cursor_out)
{
    const struct worker *worker = request->session->worker;
    uint8_t key[HASH_BYTES], scope[SCOPE_BYTES], plain[PLAIN_MAX];
    int version = keyring_newest(worker->keyring);
    size_t plain_size = 8 + end->size, whole = HEAD_BYTES + plain_size + TAG_BYTES;
    uint8_t *sealed = arena_alloc(&request->arena, whole);
    assert(end->size <= CURSOR_PLACE_BYTES_MAX);
    if (!sealed || !keyring_cursor_key(worker->keyring, version, key))
        return false;
    scope_of(request, body, scope);
    sealed[0] = (uint8_t)version;
    hash_random(sealed + 1, NONCE_BYTES);
    put_bytes(put_u64(plain, (uint64_t)(domain_clock_us(worker->clock) + HOUR_US)), end->place,
              end->size);
    struct sealing sealing = {.key = key,
                              .nonce = sealed + 1,
                              .scope = scope,
                              .from = plain,
                              .to = sealed + HEAD_BYTES,
                              .size = plain_size};
    bool done = seal(&sealing, sealed + HEAD_BYTES + plain_size, true);
    OPENSSL_cleanse(key, sizeof key);
    *cursor_out = (ProtobufCBinaryData){.len = whole, .data = sealed};
    return done;
}
