// Calls a language model at AI_ENDPOINT, by Ollama's API or OpenAI's, and records the tokens of each call. Owns no state.
//
//   #include <nanogrid/ai.hpp>
//
//   auto answer = nanogrid::ai::generate({.model = "llama3.2", .prompt = "Why is the sky blue?"});
//
//   nanogrid::ai::chat({.model = "llama3.2", .messages = {{"user", "Hello"}}},
//                      [](std::string_view piece) { std::cout << piece << std::flush; return true; });
//
// C++17 is enough (without the names of fields). http:// alone: what a function is given never needs another.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ai/error.hpp"
#include "ai/http.hpp"
#include "ai/json.hpp"

namespace nanogrid::ai {

struct message {
  std::string role;
  std::string content;
};

/// What a model is asked. `generate` goes by `prompt` and `system`, `chat` by `messages`.
struct request {
  std::string model;
  std::string prompt = {};
  std::string system = {};
  std::vector<message> messages = {};
  /// Further members of the request's JSON object, as the service documents them: `"options":{"seed":1}`.
  std::string extra = {};
  /// For the whole call.
  std::chrono::milliseconds timeout = std::chrono::minutes(5);
  /// Overrule AI_ENDPOINT, AI_API ("ollama", "openai" or "auto") and AI_API_KEY.
  std::string endpoint = {};
  std::string api = {};
  std::string api_key = {};
};

/// What the model said. Tokens are 0 where the service did not tell.
struct answer {
  std::string text;
  std::string model;
  long long prompt_tokens = 0;
  long long completion_tokens = 0;
  /// The service's last JSON object.
  std::string raw;
  /// False where the caller of a stream wanted no more of it.
  bool whole = false;
};

/// Takes the pieces of an answer as they come; false ends the call.
using on_piece = std::function<bool(std::string_view)>;

namespace detail {

constexpr std::size_t max_answer_bytes = 32u << 20, max_line_bytes = 1u << 20;

/// Where the model is, and which of the two languages it speaks.
struct service {
  std::string host, port = "80", prefix, key;
  bool ollama = true;

  explicit service(const request& asked) {
    const std::string endpoint = first(asked.endpoint, "AI_ENDPOINT");
    const char* hint = "set \"aiEndpoint\" in the configuration of the worker, and grant this function \"ai\"";
    if (endpoint.empty()) throw error("configuration", std::string("no AI_ENDPOINT: ") + hint);
    if (endpoint.rfind("http://", 0) != 0)
      throw error("configuration", "AI_ENDPOINT is no http:// address: " + json_text(endpoint));
    const std::size_t slash = std::min(endpoint.find('/', 7), endpoint.size());
    host = endpoint.substr(7, slash - 7);
    prefix = endpoint.substr(slash);
    while (!prefix.empty() && prefix.back() == '/') prefix.pop_back();
    const std::size_t colon = host.rfind(':');
    if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
      port = host.substr(colon + 1);
      host.resize(colon);
    }
    if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);
    std::string api = first(asked.api, "AI_API");
    const bool ends_in_v1 = prefix.size() >= 3 && prefix.compare(prefix.size() - 3, 3, "/v1") == 0;
    if (api.empty() || api == "auto") api = ends_in_v1 ? "openai" : "ollama";
    if (api != "ollama" && api != "openai")
      throw error("configuration", "AI_API is " + json_text(api) + ", and must be \"ollama\", \"openai\" or \"auto\"");
    ollama = api == "ollama";
    if (!ollama && prefix.empty()) prefix = "/v1";
    key = first(asked.api_key, "AI_API_KEY");
    if (key.find_first_of("\r\n") != std::string::npos) throw error("configuration", "AI_API_KEY holds a line break");
  }

  static std::string first(const std::string& own, const char* variable) {
    const char* set = own.empty() ? std::getenv(variable) : nullptr;
    return set ? set : own;
  }
};

inline std::string body_of(const service& to, const request& asked, bool chat, bool streams) {
  std::string body = "{\"model\":" + json_text(asked.model);
  if (!asked.extra.empty()) body += "," + asked.extra;
  if (to.ollama && !chat) {
    body += ",\"prompt\":" + json_text(asked.prompt);
    if (!asked.system.empty()) body += ",\"system\":" + json_text(asked.system);
  } else {
    std::vector<message> messages = asked.messages;
    if (!chat) {
      messages.clear();
      if (!asked.system.empty()) messages.push_back({"system", asked.system});
      messages.push_back({"user", asked.prompt});
    }
    body += ",\"messages\":[";
    for (const auto& [role, content] : messages)
      body += "{\"role\":" + json_text(role) + ",\"content\":" + json_text(content) + "},";
    if (!messages.empty()) body.pop_back();
    body += "]";
  }
  body += streams ? ",\"stream\":true" : ",\"stream\":false";
  // Else a stream tells no tokens.
  if (streams && !to.ollama) body += ",\"stream_options\":{\"include_usage\":true}";
  return body + "}";
}

/// Appends one line for one call, in one write: also where threads and processes do so at once.
inline void record(const answer& told, bool whole) {
  const std::string prompt = std::to_string(told.prompt_tokens), completion = std::to_string(told.completion_tokens);
  std::string line = "{\"model\":" + json_text(told.model.substr(0, 512)) + ",\"usage\":{\"prompt_tokens\":" + prompt +
                     ",\"completion_tokens\":" + completion + "}";
  line += whole ? "}\n" : ",\"incomplete\":true}\n";
  struct stat about {};
  const std::string folder = stat("/function", &about) == 0 && S_ISDIR(about.st_mode) ? "/function" : ".";
  const int fd = open((folder + "/.llm_usage_stats.jsonl").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  const bool done = fd >= 0 && write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  // The answer is worth more than its record.
  const char* trouble = "nanogrid/ai.hpp: the tokens of a call could not be recorded: %s\n";
  if (!done) std::fprintf(stderr, trouble, std::strerror(errno));
  if (fd >= 0) close(fd);
}

/// One answer while it comes. Records the call once: at the end, however it ends.
class reading {
 public:
  reading(response& from, bool ollama, bool streams, const std::string& model, const on_piece& wanted)
      : from_(from), ollama_(ollama), streams_(streams), wanted_(wanted) {
    answer_.model = model;
  }
  reading(const reading&) = delete;
  reading& operator=(const reading&) = delete;
  ~reading() {
    // Until the service tells its counts there are those of the pieces that it sent, which are tokens, nearly.
    if (!counted_ && streams_) answer_.completion_tokens = pieces_;
    record(answer_, finished_ && counted_);
  }

  answer whole() {
    while (!finished_) {
      const std::string text = take(streams_ ? line() : all());
      if (text.empty()) continue;
      pieces_++;
      answer_.text += text;
      if (wanted_ && !wanted_(text)) return answer_;
    }
    answer_.whole = true;
    return answer_;
  }

 private:
  response& from_;
  const bool ollama_, streams_;
  const on_piece& wanted_;
  answer answer_;
  std::string buffer_;
  std::size_t size_ = 0;
  long long pieces_ = 0;
  // finished_: the service said that it was all. may_end_: it gave a reason for the end, and some say no more than that.
  bool at_end_ = false, finished_ = false, may_end_ = false, counted_ = false;

  void read() {
    const std::size_t before = buffer_.size();
    at_end_ = !from_.next(buffer_);
    size_ += buffer_.size() - before;
    if (size_ > max_answer_bytes)
      throw error("invalid-answer", "the AI endpoint sent more than " + bytes(max_answer_bytes));
  }
  std::string all() {
    while (!at_end_) read();
    finished_ = true;
    return std::move(buffer_);
  }
  std::string line() {
    std::size_t looked = 0, end;
    while ((end = buffer_.find('\n', looked)) == std::string::npos) {
      looked = buffer_.size();
      if (looked > max_line_bytes)
        throw error("invalid-answer", "the AI endpoint sent a line of more than " + bytes(max_line_bytes));
      if (at_end_ && looked > 0) {
        end = looked;
        break;
      }
      if (at_end_ && may_end_) {
        finished_ = true;
        return "";
      }
      if (at_end_) throw error("interrupted", "the answer of the AI endpoint ended before it was whole");
      read();
    }
    std::string found = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return found;
  }

  /// The text in one line of a stream, or in a whole answer.
  std::string take(const std::string& told) {
    std::string_view line = trimmed(told);
    const auto begins = [&](std::string_view with) { return line.substr(0, with.size()) == with; };
    if (streams_ && !ollama_) {
      if (begins(":") || begins("event:") || begins("id:") || begins("retry:")) return "";
      if (begins("data:")) line = trimmed(line.substr(5));
      if (line == "[DONE]") finished_ = true;
      if (line == "[DONE]") return "";
    }
    if (streams_ && line.empty()) return "";
    const value said = parser(line).whole();
    if (said.kind != value::object)
      throw error("invalid-answer", "the AI endpoint answered what is no JSON object: " + json_text(line.substr(0, 100)));
    answer_.raw = std::string(line);
    count(said);
    if (said["error"].is_true()) throw error("service", "the AI endpoint failed" + reason_of(line), 200);
    const value& text = ollama_ ? ollama_text(said) : openai_text(said);
    if (text.kind == value::text) return text.string;
    if (streams_ && (text.kind == value::none || text.kind == value::null)) return "";
    if (text.kind == value::null && !ollama_) return "";  // it calls tools and says nothing
    throw error("invalid-answer", "the answer of the AI endpoint holds no text");
  }

  void count(const value& said) {
    if (said["model"].says()) answer_.model = said["model"].string;
    const value& usage = ollama_ ? said : said["usage"];
    const value& prompt = usage[ollama_ ? "prompt_eval_count" : "prompt_tokens"];
    const value& completion = usage[ollama_ ? "eval_count" : "completion_tokens"];
    if (prompt.kind == value::none && completion.kind == value::none) return;
    counted_ = true;
    answer_.prompt_tokens = count_of(prompt);
    answer_.completion_tokens = count_of(completion);
  }
  const value& ollama_text(const value& said) {
    if (said["done"].kind == value::boolean && said["done"].string == "true") finished_ = true;
    return said["message"].kind == value::object ? said["message"]["content"] : said["response"];
  }
  const value& openai_text(const value& said) {
    static const value nothing, silence = [] {
      value made;
      made.kind = value::null;
      return made;
    }();
    const auto& choices = said["choices"].items;
    if (choices.empty()) return nothing;
    const value& choice = choices.front();
    const auto reason = choice["finish_reason"].kind;
    may_end_ = may_end_ || (reason != value::none && reason != value::null);
    const value& said_in = choice["message"].kind == value::object ? choice["message"] : choice["delta"];
    if (said_in.kind != value::object) return nothing;
    return said_in["content"].kind == value::none ? silence : said_in["content"];
  }
  static std::string bytes(std::size_t count) { return std::to_string(count) + " bytes"; }
  static std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
    return begin == std::string_view::npos ? std::string_view{} : text.substr(begin, end - begin + 1);
  }
};

inline answer call(const request& asked, bool chat, const on_piece& wanted) {
  const service to(asked);
  const bool streams = static_cast<bool>(wanted);
  const char* path = !to.ollama ? "/chat/completions" : chat ? "/api/chat" : "/api/generate";
  const std::string body = body_of(to, asked, chat, streams);
  connection made(to.host, to.port, clock::now() + asked.timeout);
  std::string head = "POST " + to.prefix + path + " HTTP/1.1\r\nHost: " + to.host + ":" + to.port +
                     "\r\nContent-Type: application/json\r\nConnection: close\r\n";
  if (!to.key.empty()) head += "Authorization: Bearer " + to.key + "\r\n";
  made.write(head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  response got(made);
  if (got.status >= 200 && got.status < 300) return reading(got, to.ollama, streams, asked.model, wanted).whole();
  std::string told;
  try {
    while (told.size() < max_head_bytes && got.next(told)) {
    }
  } catch (const error&) {
    // Then the status is all that there is.
  }
  throw error("service", "the AI endpoint answered " + std::to_string(got.status) + reason_of(told), got.status);
}

}  // namespace detail

/// Has a model go on from a prompt; with `wanted`, piece by piece. Throws `error`.
inline answer generate(const request& asked, const on_piece& wanted = nullptr) {
  return detail::call(asked, false, wanted);
}

/// Has a model answer a conversation; with `wanted`, piece by piece. Throws `error`.
inline answer chat(const request& asked, const on_piece& wanted = nullptr) { return detail::call(asked, true, wanted); }

}  // namespace nanogrid::ai
