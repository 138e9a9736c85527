#!/usr/bin/env bash
# Asks a running NanoGrid for everything its HTTP API promises, with nothing but curl and jq.
#
#   npx nanogrid dev                # in another terminal, or any other controller with a worker behind it
#   BASE_URL=http://127.0.0.1:3000 API_KEY=ngk_… examples/e2e.sh
#
# API_KEY is needed only where the controller asks for keys. LLM_MODEL also checks the function that asks a language
# model: the worker then needs "aiEndpoint" and the grant "ai" for it. Prints a line for each check and exits with 1 when
# one failed. The functions that it registers are deleted at the end.
set -uo pipefail
export LC_ALL=C

BASE_URL=${BASE_URL:-http://127.0.0.1:3000}
API_KEY=${API_KEY:-}
LLM_MODEL=${LLM_MODEL:-}
functions=$(cd "$(dirname "${BASH_SOURCE[0]}")/functions" && pwd)
tag=e2e-$$
registered=()
passed=0
failed=0
status=
body=

for program in curl jq; do
  command -v "$program" > /dev/null || { echo "This script needs $program."; exit 2; }
done

# call METHOD PATH [curl's own arguments…]: leaves the answer in $status and $body.
call() {
  local method=$1 path=$2 answer
  shift 2
  # The key goes through standard input: nobody sees it among the processes.
  answer=$(printf '%s' "${API_KEY:+header = \"Authorization: Bearer $API_KEY\"}" |
    curl -sS --max-time 400 -K - -X "$method" -w '\n%{http_code}' "$@" "$BASE_URL$path") || answer=$'\n000'
  status=${answer##*$'\n'}
  body=${answer%$'\n'*}
}

# check NAME STATUS [FILTER]: the last answer has this status, and jq's FILTER holds for it.
check() {
  local name=$1 expected=$2 filter=${3:-true}
  if [ "$status" = "$expected" ] && jq -e "$filter" > /dev/null 2>&1 <<< "${body:-null}"; then
    passed=$((passed + 1))
    echo "PASS  $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name: expected $expected and $filter, got $status"
    printf '%s\n' "$body" | head -c 2000 | sed 's/^/      /'
    echo
  fi
}

# upload FOLDER: registers the function of the folder's only source file, as its function.json says; leaves its id in $id.
upload() {
  local folder=$functions/$1 file settings
  file=$(printf '%s\n' "$folder"/* | grep -v '/function\.json$')
  settings=$folder/function.json
  local fields=(-F "file=@$file" -F "function_name=$tag $1")
  local name value
  while IFS=$'\t' read -r name value; do fields+=(-F "$name=$value"); done \
    < <(jq -r 'del(.name) | to_entries[] | [.key, (.value | tostring)] | @tsv' "$settings")
  call POST /upload "${fields[@]}"
  id=$(jq -r '.function_id // empty' <<< "$body")
  [ -z "$id" ] || registered+=("$id")
  check "upload of $1" 201 '.function_id and .s3_key == "functions/\(.function_id)/code.zip" and .created_at'
}

# run JSON [curl's own arguments…]
run() {
  local json=$1
  shift
  call POST /run -H 'Content-Type: application/json' --data-binary "$json" "$@"
}

# payload JSON: the body of a run of function $id
payload() { jq -cn --arg id "$id" --argjson payload "$1" '{function_id: $id, payload: $payload}'; }

# wait_for JOB: until it has ended, two minutes at most; leaves what is known of it in $status and $body.
wait_for() {
  for _ in $(seq 240); do
    call GET "/status/$1"
    [[ $(jq -r '.status? // empty' 2> /dev/null <<< "$body") =~ ^(pending|running)$ ]] || break
    sleep 0.5
  done
}

clean_up() {
  for id in "${registered[@]}"; do call DELETE "/functions/$id"; done
}
trap clean_up EXIT
trap 'exit 130' INT TERM

call GET /health
check 'health' 200 '.status == "healthy"'
[ "$failed" = 0 ] || { echo "Nothing else is tried: is this the address of a healthy controller? $BASE_URL"; exit 1; }
call GET /openapi.json
check 'the API describes itself' 200 '.openapi and .paths["/run"]'

for language in hello hello-node hello-cpp hello-go; do
  upload "$language"
  run "$(payload '{"name": "Ada"}')"
  check "$language answers" 200 '.status == "completed" and (.result.greeting // .result.message) == "Hello, Ada!" and .job_id'
done

upload hello
run "$(jq -cn --arg id "$id" '{functionId: $id, inputData: {name: "Bo"}}')"
check 'the camel form' 200 '.status == "SUCCESS" and .exitCode == 0 and .result.greeting == "Hello, Bo!" and .requestId
  and (.stdout | contains("Saying hello")) and .durationMillis > 0 and .peakMemoryMB > 0 and .outputFiles == []'

run "$(payload '{"name": "once"}')" -H "Idempotency-Key: $tag"
first=$(jq -r '.job_id' <<< "$body")
run "$(payload '{"name": "once"}')" -H "Idempotency-Key: $tag"
check 'an Idempotency-Key gives the first answer again' 200 ".job_id == \"$first\""
run "$(payload '{"name": "twice"}')" -H "Idempotency-Key: $tag"
check 'and refuses another request' 422 '.error.code == "IDEMPOTENCY_MISMATCH"'

call GET "/functions/$id"
check 'a function can be looked at' 200 ".function_id == \"$id\" and .version == 1 and .runtime == \"python\""
call POST /upload -F "file=@$functions/hello/main.py" -F "function_name=$tag hello" -F runtime=python -F "function_id=$id"
check 'a second upload makes a new version' 201 ".function_id == \"$id\" and .version == 2"

upload long
run "$(payload '{"seconds": 2}')" -H 'X-Async: true'
check 'asynchronously: accepted at once' 202 '.status == "pending" and .job_id and .message'
job=$(jq -r '.job_id' <<< "$body")
call GET "/status/$job"
check 'its status is known at once' 200 '.status | IN("pending", "running", "completed")'
wait_for "$job"
check 'and its result later' 200 '.status == "completed" and .result.seconds == 2'
call POST "/jobs/$job/cancel"
check 'a job that has ended cannot be taken back' 409 '.error.code == "CONFLICT"'
run "$(payload '{"seconds": 300}')" -H 'X-Async: true'
job=$(jq -r '.job_id' <<< "$body")
call POST "/jobs/$job/cancel"
check 'a job is taken back' 202 ".job_id == \"$job\""
wait_for "$job"
check 'and says so' 200 '.status == "failed" and .error_code == "NG_CANCELLED"'

upload resize
run "$(payload '{"width": 64, "height": 48}')"
check 'an output file' 200 '.result == {width: 64, height: 48} and (.output_files | length == 1)
  and (.output_files[0] | split("?")[0] | endswith("/thumbnail.png"))'
url=$(jq -r '.output_files[0] // empty' <<< "$body")
# A file of this machine, or an address that carries its own permission; other stores ask for credentials.
case $url in file:* | *\?*)
  body=$(curl -sS -o /dev/null -w '{"bytes": %{size_download}}' "$url")
  check 'that can be fetched' 200 '.bytes > 100'
  ;;
esac

upload slow
run "$(payload null)"
check 'a function that takes too long' 200 '.status == "failed" and .error_code == "NG_TIMEOUT" and .error and (.logs | contains("hour"))'

upload fail
run "$(payload null)"
check 'a function that fails' 200 '.status == "failed" and .error_code == "NG_EXIT_CODE" and (.error | contains("twelve"))'

if [ -n "$LLM_MODEL" ]; then
  upload llm-summary
  run "$(jq -cn --arg id "$id" --arg model "$LLM_MODEL" '{function_id: $id, payload: {model: $model, text: "A long story."}}')"
  check 'a function that asks a language model' 200 '.status == "completed" and (.result.summary | length > 0)'
fi

run '{"function_id": "fn-unknown", "payload": 1}'
check 'an unknown function' 404 '.error.code == "NOT_FOUND"'
call GET /status/unknown
check 'an unknown job' 404 '.error.code == "NOT_FOUND"'
run '{"function_id": '
check 'a broken body' 400 '.error.code == "BAD_REQUEST" and .error.message'
call GET /run
check 'a wrong method' 405 '.error.code == "METHOD_NOT_ALLOWED"'
if [ -n "$API_KEY" ]; then
  key=$API_KEY API_KEY=ngk_wrong
  call GET /functions
  API_KEY=$key
  check 'a wrong key' 401 '.error.code == "UNAUTHORIZED"'
fi

call DELETE "/functions/$id"
check 'a function is deleted' 204
run "$(payload null)"
check 'and cannot be run any more' 404 '.error.code == "NOT_FOUND"'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
