/* Certificates of a network: an authority, and what it signs. P-256 and SHA-256 throughout. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cert_role { CERT_AUTHORITY, CERT_SERVER, CERT_TERMINAL, CERT_OPERATOR };

struct cert_request {
    enum cert_role role;
    const char *ca_folder;  /* of the signer: authority.crt and authority.key */
    const char *out_folder; /* made if missing, 0700 */
    const char *network;    /* of an authority; the others take the signer's */
    const char *merchant, *terminal, *operator_name;
    const char *names; /* of a server: DNS names and addresses, commas between */
    int days;
};

/* Writes NAME.crt, NAME.key (0600, never over an existing one) and authority.crt into out_folder;
 * NAME is authority, server, terminal or operator. False: the cause in error_out. */
__attribute__((warn_unused_result)) bool cert_make(const struct cert_request *request,
                                                   uint8_t fingerprint_out[32], char *error_out,
                                                   size_t error_size);
/* SHA-256 of the first certificate (DER) in a PEM file. */
__attribute__((warn_unused_result)) bool cert_fingerprint(const char *path, uint8_t out[32],
                                                          char *error_out, size_t error_size);
/* "server" of CERT_SERVER and so on. */
const char *cert_file_name(enum cert_role role);
