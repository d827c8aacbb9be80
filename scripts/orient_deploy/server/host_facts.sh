# shellcheck shell=sh
# What a server has, for preflight. Arguments: the folder of the deployment; how docker is called,
# in words, ended by `--`; projects of Compose, ended by `--`; images, ended by `--`; paths, absolute
# or relative to the folder.
#
# Every line that it prints begins with its own key, and names that docker tells are JSON. Nothing is
# changed. Variables are read and compared here; their names alone are told.
LC_ALL=C
export LC_ALL
umask 077
exec 2>/dev/null # nobody reads it, and who holds it would keep the connection open

directory=$1
shift
docker=
while [ "$1" != -- ]; do
  docker="$docker '$(printf %s "$1" | sed "s/'/'\\\\''/g")'"
  shift
done
shift

bound='command' # and not the function of the name
if command -v timeout >/dev/null 2>&1 && timeout 5 true 2>/dev/null; then
  bound='timeout 20'
fi
# That bound is none where it may not end what it started: docker below sudo is root's.
watch() { # seconds; what is told, and this script ended, when they have passed
  (
    trap 'kill $!; wait $!; exit 0' TERM
    sleep "$1" >/dev/null 2>&1 &
    wait $!
    printf '\n%s\nend\n' "$2"
    kill -KILL $$
  ) &
  watching=$!
}
unwatch() {
  kill "$watching"
  wait "$watching"
}
finish() {
  unwatch
  date +%s | keyed clock
  echo end
  exit 0
}
docker() { eval "$bound $docker \"\$@\""; }
keyed() { while IFS= read -r line || [ -n "$line" ]; do printf '%s %s\n' "$1" "$line"; done; }
located() {
  case $1 in
  [~] | [~]/*) printf '%s\n' "$HOME${1#\~}" ;;
  *) printf '%s\n' "$1" ;;
  esac
}

date +%s | keyed clock
watch 100 'failure hung'
for one in tar flock setsid sha256sum awk; do
  command -v "$one" >/dev/null 2>&1 || echo "lacks $one"
done
begun=$(date +%s)
if cd "$(located "$directory")" 2>/dev/null; then echo 'directory yes'; else echo 'directory no'; fi
df -Pk . 2>/dev/null | keyed 'disk .'
df -Pi . 2>/dev/null | keyed 'inodes .'
[ ! -r /proc/meminfo ] || keyed memory </proc/meminfo
for one in tcp tcp6 udp udp6; do
  # 0A and 07 are what listens; others may be many.
  [ ! -r "/proc/net/$one" ] || grep -e ' 0A ' -e ' 07 ' "/proc/net/$one" | keyed "net $one"
done

there() { # whether a path is there: yes, no, or hidden behind a folder that may not be entered
  if [ -e "$1" ]; then echo yes; return; fi
  if [ -L "$1" ]; then echo hidden; return; fi # what it leads to may be in such a folder
  above=$1
  until [ -e "$above" ]; do
    case $above in
    /*/*) above=${above%/*} ;;
    /*) above=/ ;;
    */*) above=${above%/*} ;;
    *) above=. ;;
    esac
  done
  if [ -x "$above" ]; then echo no; else echo hidden; fi
}
number=0 lists=0
for one; do
  if [ $lists -lt 2 ]; then
    if [ "$one" = -- ]; then lists=$((lists + 1)); fi
    continue
  fi
  printf 'path %s %s\n' $number "$(there "$(located "$one")")"
  number=$((number + 1))
done

told=$(docker version --format '{{json .Server.Version}} {{json .Server.APIVersion}}' 2>&1)
code=$?
if [ $code -ne 0 ]; then
  case $code:$told in
  124:* | 143:*) echo 'failure hung' ;;
  127:* | *'not found'*) echo 'failure missing' ;;
  *denied* | *'a password is required'* | *'not in the sudoers'*) echo 'failure denied' ;;
  *'annot connect'* | *refused* | *'o such file'* | *'no such host'*) echo 'failure unreachable' ;;
  *) echo 'failure failed' ;;
  esac
  finish
fi
printf '%s\n' "$told" | keyed docker
docker compose version --short 2>/dev/null | keyed compose
root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)
if [ -n "$root" ] && [ -d "$root" ]; then
  df -Pk "$root" 2>/dev/null | keyed 'disk /'
  df -Pi "$root" 2>/dev/null | keyed 'inodes /'
fi
if told=$(docker network ls --no-trunc --format '{{json .Name}}' 2>/dev/null); then
  printf '%s\n' "$told" | keyed network
  echo 'told networks'
fi
if told=$(docker volume ls --format '{{json .Name}}' 2>/dev/null); then
  printf '%s\n' "$told" | keyed volume
  echo 'told volumes'
fi

label='index .Config.Labels "com.docker.compose'
fields="[{{json .Name}},{{json .State.Status}},{{json .RestartCount}},{{json .Created}}"
fields="$fields,{{json .State.StartedAt}},{{json .State.ExitCode}},{{json .State.OOMKilled}}"
for one in project service oneoff project.working_dir; do
  fields="$fields,{{json ($label.$one\")}}"
done
fields="$fields,{{json .HostConfig.PortBindings}},{{json .HostConfig.NetworkMode}}"
fields="$fields,{{if .State.Health}}{{json .State.Health.Status}}{{else}}null{{end}}"
fields="$fields,[{{range \$name, \$_ := .NetworkSettings.Networks}}{{json \$name}},{{end}}null]]"

# Which variables of the containers of a project are not what its own files say now. Everything is
# compared in awk, and names alone come out of it. A variable counts where these files alone decide
# it: what refers to something that the file of variables does not set may come from whoever started
# the project. What Compose's own digests say is no answer: for a service with an `env_file`,
# `config --hash` differs from the digest on a container that was created a second ago (2.40).
# shellcheck disable=SC2016 # these dollars are awk's
compare='
function text(s) {
  gsub(/\\u003c/, "<", s)
  gsub(/\\u003e/, ">", s)
  gsub(/\\u0026/, "\\&", s)
  gsub(/\\u0008/, "\\b", s)
  gsub(/\\u000c/, "\\f", s)
  return s
}
function decided(s,   name) {
  gsub(/\$\$/, "", s)
  while (match(s, /\$\{?[A-Za-z_][A-Za-z0-9_]*/)) {
    name = substr(s, RSTART, RLENGTH)
    s = substr(s, RSTART + RLENGTH)
    sub(/^\$\{?/, "", name)
    if (!(name in set) || name in ENVIRON) return 0
  }
  return 1
}
function judge(   key, part, wanted) {
  if (container == "") return
  print "compared " container
  for (key in now) {
    split(key, part, SUBSEP)
    if (part[1] != service || now[key] !~ /^".*"$/) continue
    if (key in left) continue
    if (key in raw && raw[key] == "null") { if (!decided("$" part[2])) continue }
    else if (key in raw && (raw[key] !~ /^".*"$/ || !decided(raw[key]))) continue
    wanted = substr(now[key], 2, length(now[key]) - 2)
    gsub(/\$\$/, "$", wanted)
    if (!(part[2] in have) || have[part[2]] != text(wanted)) print "differs " container " " part[2]
  }
}
{ tag = substr($0, 1, 1); line = substr($0, 2) }
function file(path,   row, name) { # names there that refer to what may come from elsewhere
  while ((getline row < path) > 0) {
    if (!match(row, /^[ \t]*(export[ \t]+)?[A-Za-z_][A-Za-z0-9_.-]*[ \t]*=/)) continue
    name = substr(row, 1, RLENGTH - 1)
    sub(/^[ \t]*(export[ \t]+)?/, "", name)
    sub(/[ \t]*$/, "", name)
    if (!decided(substr(row, RLENGTH + 1))) left[of, name] = 1
  }
  close(path)
}
tag == "S" { set[line] = 1; next }
line ~ /^exit / { if (line != "exit 0") failed = 1; inside = 0; next }
tag == "R" || tag == "N" {
  if (line ~ /^  "services": \{$/) { services = 1; next }
  if (line ~ /^  [^ ]/) { services = 0; next }
  if (services && match(line, /^    "[^"]*": \{$/)) { of = substr(line, 6, RLENGTH - 9); next }
  if (services && line ~ /^      "environment": (\{|\[)$/) { inside = 1; next }
  if (tag == "R" && services && line == "      \"env_file\": [") { inside = 2; next }
  if (line ~ /^      [^ ]/) { inside = 0; next }
  if (inside == 2 && match(line, /^          "path": "[^"\\]*",?$/)) {
    sub(/^ *"path": "/, "", line)
    sub(/",?$/, "", line)
    file(line)
    next
  }
  if (inside == 1 && tag == "R" && match(line, /^        "[A-Za-z_][A-Za-z0-9_.-]*[="]/)) {
    name = substr(line, 10, RLENGTH - 10)
    value = substr(line, RLENGTH + 1)
    if (substr(line, RLENGTH, 1) == "=") { sub(/,$/, "", value); raw[of, name] = "\"" value; next }
    if (value == "" || value == ",") { raw[of, name] = "null"; next }
  }
  if (inside == 1 && match(line, /^        "[A-Za-z_][A-Za-z0-9_.-]*": /)) {
    name = substr(line, 10, RLENGTH - 12)
    value = substr(line, RLENGTH + 1)
    sub(/,$/, "", value)
    if (tag == "R") raw[of, name] = value
    else now[of, name] = value
  }
  next
}
failed { exit }
tag == "C" {
  judge()
  split("", have)
  container = line
  sub(/ .*/, "", container)
  service = line
  sub(/^[^ ]* "/, "", service)
  sub(/"$/, "", service)
  next
}
tag == "E" && line ~ /^".*"$/ {
  line = substr(line, 2, length(line) - 2)
  at = index(line, "=")
  if (at) have[substr(line, 1, at - 1)] = text(substr(line, at + 1))
}
END { if (!failed) judge() }
'
settings='C{{json .Name}} {{json (index .Config.Labels "com.docker.compose.service")}}
{{range .Config.Env}}E{{json .}}
{{end}}'
variables() { # a project
  project=$1
  mine() {
    docker ps -q --no-trunc --filter "label=com.docker.compose.project=$project" \
      --filter label=com.docker.compose.oneoff=False 2>/dev/null
  }
  ids=$(mine) || return 0
  [ -n "$ids" ] || return 0
  of() {
    docker inspect --type container --format "{{$label.project.$1\"}}" "${ids%%[!0-9a-f]*}" 2>/dev/null
  }
  folder=$(of working_dir) files=$(of config_files) given=$(of environment_file)
  given=${given:-$folder/.env}
  [ -n "$files" ] && [ -d "$folder" ] || return 0
  set -- --project-name "$project" --project-directory "$folder"
  for flag in -f --env-file; do
    if [ "$flag" = -f ]; then rest=$files, ; else rest=$given, ; fi
    while [ -n "$rest" ]; do
      one=${rest%%,*} rest=${rest#*,}
      case $one in /*) [ -f "$one" ] && [ -r "$one" ] || return 0 ;; *) return 0 ;; esac
      set -- "$@" "$flag" "$one"
    done
  done
  set -- "$@" --profile '*' config --format json
  {
    rest=$given,
    while [ -n "$rest" ]; do
      one=${rest%%,*} rest=${rest#*,}
      sed -n 's/^[[:blank:]]*\(export[[:blank:]]\{1,\}\)\{0,1\}\([A-Za-z_][A-Za-z0-9_]*\)[[:blank:]]*=.*/S\2/p' <"$one"
    done
    { docker compose "$@" --no-interpolate --no-consistency 2>/dev/null; echo "exit $?"; } | sed 's/^/R/'
    { docker compose "$@" 2>/dev/null; echo "exit $?"; } | sed 's/^/N/'
    # shellcheck disable=SC2086 # ids are words
    docker inspect --type container --format "$settings" $ids 2>/dev/null
  } | awk "$compare"
}

hung() { # what a question to docker ended with
  [ "$1" -ne 124 ] && [ "$1" -ne 143 ] && return
  echo 'failure hung'
  finish
}
ids=$(docker ps -aq --no-trunc 2>/dev/null)
code=$?
hung $code
if [ $code -eq 0 ]; then
  told=
  # shellcheck disable=SC2086 # ids are words
  [ -z "$ids" ] || told=$(docker inspect --type container --format "$fields" $ids 2>/dev/null)
  hung $?
  if [ -z "$ids" ] || [ -n "$told" ]; then # one of them may have gone meanwhile
    printf '%s\n' "$told" | keyed container
    echo 'told containers'
  fi
  for one; do
    [ "$one" != -- ] || break
    variables "$one" </dev/null
  done
fi
while [ "$1" != -- ]; do shift; done
shift

unsafe=$(docker info --format \
  '{{range $name, $one := .RegistryConfig.IndexConfigs}}{{if not $one.Secure}}{{$name}} {{end}}{{end}}' \
  2>/dev/null)
own_way=$(docker info --format '{{.HTTPProxy}}{{.HTTPSProxy}}{{range .RegistryConfig.Mirrors}}{{.}}{{end}}' \
  2>/dev/null)
look() { # a number, an image
  if docker image inspect "$2" >/dev/null 2>&1; then
    echo "image $1 present"
    return
  fi
  # Docker's own list says who is asked without TLS; nobody else may be.
  insecure=
  for one in $unsafe; do
    case $2 in "$one"/*) insecure=--insecure ;; esac
  done
  case $2 in 127.* | localhost:*) insecure=--insecure ;; esac
  if told=$(docker manifest inspect $insecure "$2" 2>&1 >/dev/null); then
    echo "image $1 there"
    return
  fi
  case $told in
  # These are of this machine, and say nothing of the image.
  *'ting credentials'* | *'executable file'* | *roxy*) echo "image $1 unknown" ;;
  *denied* | *nauthorized* | *'authentication required'* | *orbidden* | *'no basic auth credentials'*)
    echo "image $1 denied"
    ;;
  *'manifest unknown'* | *'no such manifest'* | *'ame unknown'* | *': not found'*) echo "image $1 absent" ;;
  *'no such host'* | *'connection refused'* | *'no route to host'* | *'is unreachable'* | \
    *'i/o timeout'* | *'handshake timeout'* | *'deadline exceeded'*)
    # The engine, which pulls, may have a way of its own.
    if [ -n "$own_way" ]; then echo "image $1 unknown"; else echo "image $1 unreachable"; fi
    ;;
  *) echo "image $1 unknown" ;;
  esac
}
# A few at a time, for a small machine; nobody waits long for registries that do not answer.
unwatch
watch 60 ''
number=0 asked=
for one; do
  [ "$one" != -- ] || break
  if [ $((number % 4)) -eq 0 ]; then
    # shellcheck disable=SC2086 # ids are words
    [ -z "$asked" ] || wait $asked
    asked=
    [ $(($(date +%s) - begun)) -lt 90 ] || break
  fi
  look $number "$one" </dev/null &
  asked="$asked $!"
  number=$((number + 1))
done
# shellcheck disable=SC2086 # ids are words
[ -z "$asked" ] || wait $asked
finish
