#!/usr/bin/env bash
# One real Kafka broker (KRaft, no Docker) on loopback, for tests and for trying Rapport with Kafka.
# Needs Java 17 or newer; Maven fetches the jars the first time (43 MB, kept in .kafka/jars).
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: kafka.sh up [FOLDER] [PORT]   start a broker, print its address (an earlier one's data and port are kept)
       kafka.sh down [FOLDER]        stop it cleanly
       kafka.sh kill [FOLDER]        stop it with SIGKILL, as a crash would
FOLDER holds the broker's data and log, default .kafka/broker; PORT defaults to a free one, PORT + 1 is used too.
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../.." && pwd)/.kafka
jars=$home/jars
patience_seconds=60

fail() {
  echo "kafka.sh: $1" >&2
  exit 1
}

# The id alone proves nothing: after a reboot it may be another program's.
running() {
  [[ -f $folder/pid ]] && ps -ww -o args= -p "$(<"$folder/pid")" | grep -qF " kafka.Kafka $folder/server.properties"
}

answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Below the range that the kernel hands to outgoing connections, so that none of them takes the port meanwhile.
free_port() {
  local port
  for _ in {1..200}; do
    port=$((20000 + RANDOM % 10000))
    if ! answers "$port" && ! answers $((port + 1)); then
      echo "$port"
      return
    fi
  done
  fail "found no free port between 20000 and 30000"
}

fetch_jars() {
  [[ -d $jars ]] && return
  command -v mvn >/dev/null || fail "needs Maven (mvn) to fetch Kafka"
  local parts=$jars.$$
  mvn --batch-mode --quiet --no-transfer-progress --file "$here/pom.xml" \
    dependency:copy-dependencies "-DoutputDirectory=$parts" >"$home/maven.log" 2>&1 ||
    fail "Maven could not fetch Kafka; see $home/maven.log"
  mv -T "$parts" "$jars" 2>/dev/null || rm -rf "$parts" # another start was first
}

configure() {
  local port=$1
  echo "$port" >"$folder/port"
  cat >"$folder/server.properties" <<TEXT
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
inter.broker.listener.name=PLAINTEXT
log.dirs=$folder/data
auto.create.topics.enable=false
# A single broker holds the only copy of Kafka's own topics.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
TEXT
}

format() {
  [[ -f $folder/data/meta.properties ]] && return
  local cluster
  cluster=$(java -cp "$jars/*" kafka.tools.StorageTool random-uuid 2>/dev/null)
  java -cp "$jars/*" kafka.tools.StorageTool format --cluster-id "$cluster" --config "$folder/server.properties" \
    >"$folder/format.log" 2>&1 || fail "could not prepare $folder/data; see $folder/format.log"
}

up() {
  command -v java >/dev/null || fail "needs Java 17 or newer"
  mkdir -p "$home" "$folder"
  if running; then
    echo "127.0.0.1:$(<"$folder/port")"
    return
  fi
  fetch_jars
  local port=${1:-}
  [[ -z $port && -f $folder/port ]] && port=$(<"$folder/port")
  : "${port:=$(free_port)}"
  answers "$port" && fail "something else listens on port $port"
  configure "$port"
  format
  nohup java -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$jars/*" \
    kafka.Kafka "$folder/server.properties" </dev/null >"$folder/kafka.log" 2>&1 &
  echo $! >"$folder/pid"
  local deadline=$((SECONDS + patience_seconds))
  until answers "$port"; do
    running || fail "Kafka ended; see $folder/kafka.log"
    ((SECONDS < deadline)) || fail "Kafka did not open port $port in $patience_seconds s; see $folder/kafka.log"
    sleep 0.2
  done
  echo "127.0.0.1:$port"
}

stop() {
  running || return 0
  kill "-$1" "$(<"$folder/pid")"
  # A killed process loses its name before its sockets.
  while running || answers "$(<"$folder/port")"; do sleep 0.1; done
  rm -f "$folder/pid"
}

verb=${1:-}
folder=${2:-$home/broker}
[[ $folder == /* ]] || folder=$PWD/$folder
case $verb in
  up) up "${3:-}" ;;
  down) stop TERM ;;
  kill) stop KILL ;;
  *)
    usage >&2
    exit 2
    ;;
esac
