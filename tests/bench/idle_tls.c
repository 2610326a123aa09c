/* The least that an idle connection can cost: OpenSSL with the daemon's own settings on sockets, no
 * library between, nothing of ours. Accepts, answers the first bytes of each with one byte, and
 * waits. The bench's row `idle` measures it beside the daemon. Ends with standard input. */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls.h"

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        perror("idle_tls");
        exit(1);
    }
    return fd;
}

static void watch(int loop, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) != 0)
        exit(1);
}

static void serve(SSL *ssl)
{
    char bytes[512];
    size_t size;
    int good = SSL_is_init_finished(ssl) ? 1 : SSL_accept(ssl);
    if (good == 1 && (good = SSL_read_ex(ssl, bytes, sizeof bytes, &size)) == 1)
        SSL_write(ssl, "!", 1);
    if (good == 1 || SSL_get_error(ssl, good) == SSL_ERROR_WANT_READ)
        return;
    close(SSL_get_fd(ssl));
    SSL_free(ssl);
}

static void take(int loop, int listener, SSL_CTX *tls)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0)
        return;
    SSL *ssl = SSL_new(tls);
    SSL_set_fd(ssl, fd);
    SSL_set_accept_state(ssl);
    watch(loop, fd, ssl);
}

int main(int argc, char **argv)
{
    static int of_listener, of_input;
    struct epoll_event events[64];
    struct err err = {0};
    struct rlimit files;
    if (argc != 5) {
        fprintf(stderr, "usage: idle_tls PORT CERTIFICATE KEY AUTHORITY\n");
        return 2;
    }
    struct tls_files pem = {
        .certificate_file = argv[2], .key_file = argv[3], .authority_file = argv[4]};
    SSL_CTX *tls = tls_context_create(&pem, &err);
    if (!tls) {
        fprintf(stderr, "idle_tls: %s\n", err.text);
        return 1;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int listener = listen_on(atoi(argv[1])), loop = epoll_create1(0);
    watch(loop, listener, &of_listener);
    watch(loop, STDIN_FILENO, &of_input);
    for (;;) {
        int count = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &of_input)
                return 0;
            if (events[i].data.ptr == &of_listener)
                take(loop, listener, tls);
            else
                serve(events[i].data.ptr);
        }
    }
}
