// Makes the calls of its input, one after the other or all at once, and tells what came of each.
#include <unistd.h>

#include <iostream>
#include <iomanip>
#include <iterator>
#include <nanogrid/ai.hpp>
#include <thread>

using namespace nanogrid;
using ai::detail::parser;
using ai::detail::json_text;
using ai::detail::value;

static std::string text_of(const value& from, const char* name) { return from[name].string; }

/// A call's further members as they would be written: those of the tests hold numbers, one in another.
static std::string members_of(const value& object) {
  std::string written;
  for (const auto& [name, member] : object.members) {
    if (!written.empty()) written += ",";
    written += json_text(name) + ":" + (member.kind == value::object ? "{" + members_of(member) + "}" : member.string);
  }
  return written;
}

static std::string make(const value& from) {
  ai::request asked;
  asked.model = text_of(from, "model");
  asked.prompt = text_of(from, "prompt");
  asked.system = text_of(from, "system");
  asked.api = text_of(from, "api");
  asked.extra = members_of(from["extra"]);
  for (const value& one : from["messages"].items) asked.messages.push_back({text_of(one, "role"), text_of(one, "content")});
  if (from["path"].kind == value::text) asked.endpoint = std::getenv("AI_ENDPOINT") + text_of(from, "path");
  if (from["timeoutMs"].kind == value::number) asked.timeout = std::chrono::milliseconds(std::stoi(text_of(from, "timeoutMs")));
  const int leave = from["leaveAfter"].kind == value::number ? std::stoi(text_of(from, "leaveAfter")) : 0;
  int pieces = 0;
  ai::on_piece wanted;
  if (from["stream"].is_true()) wanted = [&](std::string_view) { return ++pieces != leave; };
  const auto tell = [&] { return ",\"pieces\":" + std::to_string(pieces) + "}"; };
  try {
    const bool chat = from["messages"].kind == value::array;
    const ai::answer got = chat ? ai::chat(asked, wanted) : ai::generate(asked, wanted);
    if (!got.whole) return "{\"pieces\":" + std::to_string(pieces) + "}";
    return "{\"text\":" + json_text(got.text) + ",\"model\":" + json_text(got.model) + ",\"promptTokens\":" +
           std::to_string(got.prompt_tokens) + ",\"completionTokens\":" + std::to_string(got.completion_tokens) + tell();
  } catch (const ai::error& failed) {
    return "{\"error\":" + json_text(failed.code) + ",\"status\":" + (failed.status ? std::to_string(failed.status) : "null") +
           ",\"message\":" + json_text(failed.what()) + tell();
  }
}

int main() {
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  const value order = parser(input).whole();
  for (const auto& [name, set] : order["env"].members) setenv(name.c_str(), set.string.c_str(), 1);
  if (order["folder"].says() && chdir(order["folder"].string.c_str()) != 0) return 1;
  const auto& calls = order["calls"].items;
  std::vector<std::string> ends(calls.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < calls.size(); i++) {
    const auto work = [&ends, &calls, i] { ends[i] = make(calls[i]); };
    if (order["atOnce"].is_true()) threads.emplace_back(work);
    else work();
  }
  for (auto& thread : threads) thread.join();
  std::cout << "[";
  for (std::size_t i = 0; i < ends.size(); i++) std::cout << (i ? "," : "") << ends[i];
  std::cout << "]" << std::endl;
}
