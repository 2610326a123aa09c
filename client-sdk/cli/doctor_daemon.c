/* The doctor's look at the daemon: what its admin port says, and what clients are shown. */
#include "doctor.h"
#include "doctor_certificate.h"
#include "exposition.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define CLOCK_S_WARNING 2.0
#define CLOCK_S_FAULT   60.0

static double now_s(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}

/* ---- the admin port ---- */

static const char *admin_url(struct doctor *doctor)
{
    char *url = NULL;

    if (doctor->cli->values[OPT_URL])
        return doctor->cli->values[OPT_URL];
    if (!doctor->config.admin_listen)
        return NULL;
    if (asprintf(&url, "http://%s", doctor->config.admin_listen) < 0)
        url = NULL;
    return cli_own(doctor->cli, url);
}

static void file_readiness(struct doctor *doctor, const char *url, int status)
{
    struct finding finding = {status == 200 ? VERDICT_OK : VERDICT_FAULT, "daemon", "ready",
                              "Tills are answered NOT_READY, or nobody answers.",
                              "RUNBOOK, LoyaldDown and LoyaldNotReady."};

    if (status == 0)
        doctor_file(doctor, &finding, "%s does not answer", url);
    else
        doctor_file(doctor, &finding, "%s", status == 200 ? "yes" : doctor->readiness);
}

void doctor_clock(struct doctor *doctor, const char *check, double offset_s)
{
    double off = fabs(offset_s);
    struct finding finding = {off > CLOCK_S_FAULT     ? VERDICT_FAULT
                              : off > CLOCK_S_WARNING ? VERDICT_WARNING
                                                      : VERDICT_OK,
                              "clock", check,
                              "Keys more than 10 minutes ahead are refused, leases and "
                              "certificates end at the wrong time.",
                              "Let chrony or systemd-timesyncd keep the clocks of all machines."};

    doctor_file(doctor, &finding, "%+.3f s from this machine's", offset_s);
}

static void admin_port(struct doctor *doctor)
{
    const char *url = admin_url(doctor);
    bool is_file = doctor->config.clock && strncmp(doctor->config.clock, "file:", 5) == 0;

    if (!url || !doctor->fetcher)
        return;
    struct fetch pages[] = {{.url = url, .path = "/readyz"}, {.url = url, .path = "/metrics"}};
    double before_s = now_s(), after_s;
    fetch_all(doctor->fetcher, pages, 2);
    after_s = now_s();
    doctor->readiness = pages[0].body;
    if (pages[1].status == 200)
        doctor->page = exposition_create(pages[1].body);
    file_readiness(doctor, url, pages[0].status);
    if (!doctor->page)
        return;
    doctor->domain_offset_s =
        exposition_sum(doctor->page, "loyald_domain_time_seconds", NULL) - (before_s + after_s) / 2;
    if (!is_file && !isnan(doctor->domain_offset_s))
        doctor_clock(doctor, "daemon", doctor->domain_offset_s);
}

/* ---- the certificate that clients are shown ---- */

static SSL *dial(SSL_CTX *context, const char *host, const char *port)
{
    BIO *bio = BIO_new_ssl_connect(context);
    SSL *ssl = NULL;

    if (!bio)
        return NULL;
    BIO_get_ssl(bio, &ssl);
    BIO_set_conn_hostname(bio, host);
    BIO_set_conn_port(bio, port);
    SSL_set_tlsext_host_name(ssl, host);
    SSL_up_ref(ssl);
    if (BIO_do_connect_retry(bio, 3, 50) != 1 || BIO_do_handshake(bio) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    BIO_free_all(bio);
    return ssl;
}

static void file_trust(struct doctor *doctor, SSL *ssl, const char *name, X509 *certificate)
{
    long verdict = SSL_get_verify_result(ssl);
    bool is_named = X509_check_host(certificate, name, 0, 0, NULL) == 1 ||
                    X509_check_ip_asc(certificate, name, 0) == 1;
    struct finding finding = {verdict == X509_V_OK && is_named ? VERDICT_OK : VERDICT_FAULT,
                              "certificate", "trust",
                              "Clients that check the server, as they must, cannot connect.",
                              "Issue it under the network's authority, for the names that clients "
                              "use (loyalctl cert server --names)."};

    doctor_file(doctor, &finding, "%s",
                verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                : is_named           ? "signed by the authority, for this name"
                                     : "it is not for the name of the host");
}

static void as_clients_see_it(struct doctor *doctor)
{
    const char *const *values = doctor->cli->values;
    const char *host = values[OPT_HOST], *port = values[OPT_PORT] ? values[OPT_PORT] : "7400";
    const struct finding unreached = {VERDICT_FAULT, "daemon", "TLS", "No till can connect.",
                                      "RUNBOOK, LoyaldDown; a firewall; the listen option."};
    SSL_CTX *context = host ? SSL_CTX_new(TLS_client_method()) : NULL;
    SSL *ssl;
    X509 *certificate;

    if (!context)
        return;
    if (values[OPT_AUTHORITY])
        SSL_CTX_load_verify_locations(context, values[OPT_AUTHORITY], NULL);
    SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
    ssl = dial(context, host, port);
    certificate = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
    if (certificate) {
        doctor_certificate(doctor, "server", certificate, "the one that clients are shown");
        if (values[OPT_AUTHORITY])
            file_trust(doctor, ssl, values[OPT_SERVER_NAME] ? values[OPT_SERVER_NAME] : host,
                       certificate);
    } else {
        doctor_file(doctor, &unreached, "no handshake with %s:%s", host, port);
    }
    ERR_clear_error();
    X509_free(certificate);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

void doctor_daemon(struct doctor *doctor)
{
    admin_port(doctor);
    as_clients_see_it(doctor);
}
