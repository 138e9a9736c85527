// As much of HTTP as <nanogrid/ai.hpp> needs: one request on one connection, in time. Owns no state.
#pragma once

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "error.hpp"

namespace nanogrid::ai::detail {

constexpr std::size_t max_head_bytes = 64u << 10;

using clock = std::chrono::steady_clock;

class connection {
 public:
  connection(const std::string& host, const std::string& port, clock::time_point end) : end_(end) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    if (code != 0) unreachable(gai_strerror(code));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
    int failure = 0;
    for (const addrinfo* one = found; one; one = one->ai_next) {
      fd_ = socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol);
      if (fd_ < 0) {
        failure = errno;
        continue;
      }
      failure = ::connect(fd_, one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
      if (failure == EINPROGRESS) {
        socklen_t size = sizeof failure;
        try {
          wait(POLLOUT);
        } catch (...) {
          close();
          throw;
        }
        getsockopt(fd_, SOL_SOCKET, SO_ERROR, &failure, &size);
      }
      if (failure == 0) return;
      close();
    }
    unreachable(std::strerror(failure));
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { close(); }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      else if (errno == EAGAIN) wait(POLLOUT);
      else if (errno != EINTR) unreachable(std::strerror(errno));
    }
  }

  /// Adds what there is to `to`; false at the end.
  bool read(std::string& to) {
    char bytes[16384];
    for (;;) {
      const ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
      if (got > 0) to.append(bytes, static_cast<std::size_t>(got));
      if (got >= 0) return got > 0;
      if (errno == EAGAIN) wait(POLLIN);
      else if (errno != EINTR) {
        const std::string broke = "the answer of the AI endpoint broke off: ";
        throw error("interrupted", broke + std::strerror(errno));
      }
    }
  }

  [[noreturn]] static void unreachable(const std::string& why) {
    throw error("unreachable", "the AI endpoint cannot be reached: " + why + " (a function needs the grant \"ai\" for it)");
  }

 private:
  clock::time_point end_;
  int fd_ = -1;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void wait(short events) const {
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - clock::now()).count();
      if (left <= 0) throw error("timeout", "the answer of the AI endpoint was not whole in time");
      pollfd one{fd_, events, 0};
      if (poll(&one, 1, static_cast<int>(std::min<long long>(left + 1, 60'000))) > 0) return;
    }
  }
};

/// The answer to one request: its status, and its body piece by piece.
class response {
 public:
  int status = 0;

  explicit response(connection& from) : from_(from) {
    std::size_t end;
    try {
      while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
        if (buffer_.size() > max_head_bytes) connection::unreachable("what answers speaks no HTTP");
        if (!from_.read(buffer_)) connection::unreachable("the connection ended before the answer began");
      }
    } catch (const error& failure) {
      if (failure.code != "interrupted") throw;
      connection::unreachable(failure.what());
    }
    const std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    if (std::sscanf(head.c_str(), "HTTP/1.%*d %d", &status) != 1) connection::unreachable("what answers speaks no HTTP");
    for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
      const std::size_t stop = head.find("\r\n", at), colon = head.find(':', at);
      if (colon < stop) header(lower(head.substr(at, colon - at)), lower(head.substr(colon + 1, stop - colon - 1)));
      at = stop + 2;
    }
  }

  /// Adds what comes next of the body to `to`; false at its end. Throws `interrupted` where it is not whole.
  bool next(std::string& to) {
    if (chunked_ && left_ == 0 && !chunk()) return false;
    if (!chunked_ && has_length_ && left_ == 0) return false;
    if (buffer_.empty() && !from_.read(buffer_)) {
      if (chunked_ || has_length_) broke();
      return false;
    }
    const std::size_t part = chunked_ || has_length_ ? std::min(left_, buffer_.size()) : buffer_.size();
    to.append(buffer_, 0, part);
    buffer_.erase(0, part);
    if (chunked_ || has_length_) left_ -= part;
    in_chunk_ = chunked_;
    return true;
  }

 private:
  connection& from_;
  std::string buffer_;
  bool chunked_ = false, has_length_ = false, in_chunk_ = false;
  std::size_t left_ = 0;

  static std::string lower(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
  }
  void header(const std::string& name, const std::string& value) {
    if (name == "transfer-encoding" && value.find("chunked") != std::string::npos) chunked_ = true;
    if (name != "content-length") return;
    has_length_ = true;
    left_ = std::strtoull(value.c_str(), nullptr, 10);
  }
  bool chunk() {
    if (in_chunk_) line();
    const std::string size = line();
    char* end = nullptr;
    left_ = std::strtoull(size.c_str(), &end, 16);
    if (end == size.c_str()) broke();
    in_chunk_ = false;
    return left_ > 0;
  }
  std::string line() {
    std::size_t end;
    while ((end = buffer_.find('\n')) == std::string::npos)
      if (buffer_.size() > max_head_bytes || !from_.read(buffer_)) broke();
    std::string found = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return found;
  }
  [[noreturn]] static void broke() { throw error("interrupted", "the answer of the AI endpoint broke off"); }
};

}  // namespace nanogrid::ai::detail
