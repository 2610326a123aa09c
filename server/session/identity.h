/* Who a client is by his certificate: exactly one URI in the subject's alternative names,
 * loyal://NETWORK/merchant/M/terminal/T or loyal://NETWORK/operator/O, and the right to be a
 * client. Whether the network still knows him is the reference's business. */
#pragma once

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define IDENTITY_NAME_BYTES_MAX 32

enum identity_role { IDENTITY_NOBODY = 0, IDENTITY_TERMINAL = 1 << 0, IDENTITY_OPERATOR = 1 << 1 };

struct identity {
    enum identity_role role;
    char merchant[IDENTITY_NAME_BYTES_MAX + 1]; /* "" for an operator */
    char name[IDENTITY_NAME_BYTES_MAX + 1];     /* the terminal's or the operator's */
    uint8_t certificate_sha256[HASH_BYTES];
};

/* Both fill *out only when they return true; a failure says what is wrong with the certificate,
 * or has code ENOMEM: then nothing may be. */
bool identity_of_certificate(X509 *certificate, const char *network, struct identity *out,
                             struct err *err) must_check;
bool identity_of_uri(const char *uri, size_t size, const char *network, struct identity *out,
                     struct err *err) must_check;
