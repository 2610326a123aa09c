/* The doctor's verdict on one certificate, from a file or from a handshake. */
#pragma once

#include <openssl/x509.h>

struct doctor;

void doctor_certificate(struct doctor *doctor, const char *check, const X509 *certificate,
                        const char *where);
