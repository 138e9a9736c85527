// The operations of the conformance kit, for C++. The input is a JSON string: an operation and its arguments.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <iterator>
#include <string>

#include <fcntl.h>
#include <unistd.h>

using std::cout, std::string;

string all_of(std::istream& in) { return {std::istreambuf_iterator<char>(in), {}}; }

void write(const string& path, const string& text) { std::ofstream(path, std::ios::binary) << text; }

string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Its process id, or -1 where there may be no further process.
pid_t start_sleep(const char* seconds) {
  cout.flush();
  pid_t pid = fork();
  if (pid != 0) return pid;
  execlp("sleep", "sleep", seconds, nullptr);
  _exit(127);
}

int read(const string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return 1;
  cout << all_of(file);
  return 0;
}

void files() {
  string bytes;
  for (int byte = 0; byte < 256; byte++) bytes += static_cast<char>(byte);
  std::filesystem::create_directories("/output/a/b");
  write("/output/a/b/bytes", bytes);
  write("/output/empty", "");
  cout << bytes;
}

void hold(size_t mib, unsigned ms) {
  // volatile: the compiler would leave out what nobody reads.
  volatile char* held = static_cast<volatile char*>(std::malloc(mib << 20));
  for (size_t at = 0; at < mib << 20; at += 4096) held[at] = 'x';
  usleep(ms * 1000);
}

void hang() {
  signal(SIGTERM, SIG_IGN);
  cout << "hanging\n";
  start_sleep("60");
  sleep(60);
}

void fork_bomb() {
  for (int i = 1; i < 1000 && start_sleep("20") > 0; i++) cout << i << std::endl;
}

void start_daemon() {
  pid_t pid = fork();
  if (pid > 0) cout << pid << '\n';
  if (pid != 0) return;
  setsid();
  int null = open("/dev/null", O_RDWR);
  for (int stream : {0, 1, 2}) dup2(null, stream);
  execlp("sleep", "sleep", "60", nullptr);
  _exit(127);
}

int main() {
  const string raw = all_of(std::cin);
  // The kit's strings hold nothing that JSON would escape: without their quotes they are what they mean.
  const string words = raw.substr(1, raw.size() - 2);
  const size_t space = words.find(' ');
  const string op = words.substr(0, space);
  const string rest = space == string::npos ? "" : words.substr(space + 1);

  if (op == "hello") cout << "{\"hello\":\"world\"}\n";
  else if (op == "print") cout << rest << '\n';
  else if (op == "env") cout << variable(rest.c_str()) << '\n';
  else if (op == "exit") {
    cout << "out\n";
    std::cerr << "err\n";
    return std::stoi(rest);
  } else if (op == "input") {
    write("/output/stdin", raw);
    std::filesystem::copy_file(variable("PAYLOAD_FILE"), "/output/file");
    write("/output/env", variable("PAYLOAD"));
  } else if (op == "files") files();
  else if (op == "flood") cout << string(std::stoul(rest), 'x');
  else if (op == "read") return read(rest);
  else if (op == "hold") hold(std::stoul(rest), std::stoul(rest.substr(rest.find(' '))));
  else if (op == "hang") hang();
  else if (op == "fork-bomb") fork_bomb();
  else if (op == "leave") {
    for (const char* place : {".", "/tmp", "/var/tmp", "/dev/shm", "/output"}) write(string(place) + "/left", "left");
  } else if (op == "daemon") start_daemon();
  else {
    std::cerr << "unknown operation: " << op << '\n';
    return 99;
  }
}
