# shellcheck shell=sh
# What a server has, for preflight. Arguments: the folder of the deployment; how docker is called,
# in words, ended by `--`; images, ended by `--`; paths, absolute or relative to the folder.
#
# Every line that it prints begins with its own key, and names that docker tells are JSON. Nothing is
# changed, nothing secret is read: of variables only digests that Compose itself makes are told.
LC_ALL=C
export LC_ALL
umask 077

directory=$1
shift
docker=
while [ "$1" != -- ]; do
  docker="$docker '$(printf %s "$1" | sed "s/'/'\\\\''/g")'"
  shift
done
shift

bound=
if command -v timeout >/dev/null 2>&1 && timeout 5 true 2>/dev/null; then
  bound='timeout 20'
fi
docker() { eval "$bound $docker \"\$@\""; }
keyed() { while IFS= read -r line || [ -n "$line" ]; do printf '%s %s\n' "$1" "$line"; done; }
located() {
  case $1 in
  [~] | [~]/*) printf '%s\n' "$HOME${1#\~}" ;;
  *) printf '%s\n' "$1" ;;
  esac
}

date +%s | keyed clock
for one in tar flock setsid sha256sum awk; do
  command -v "$one" >/dev/null 2>&1 || echo "lacks $one"
done
if cd "$(located "$directory")" 2>/dev/null; then echo 'directory yes'; else echo 'directory no'; fi
df -Pk . 2>/dev/null | keyed 'disk .'
df -Pi . 2>/dev/null | keyed 'inodes .'
[ ! -r /proc/meminfo ] || keyed memory </proc/meminfo
for one in tcp tcp6 udp udp6; do
  [ ! -r "/proc/net/$one" ] || keyed "net $one" <"/proc/net/$one"
done

number=0 in_images=yes
for one; do
  if [ -n "$in_images" ]; then
    if [ "$one" = -- ]; then in_images='' number=0; fi
    continue
  fi
  if [ -e "$(located "$one")" ]; then echo "path $number yes"; else echo "path $number no"; fi
  number=$((number + 1))
done

told=$(docker version --format '{{json .Server.Version}} {{json .Server.APIVersion}}' 2>&1)
code=$?
if [ $code -ne 0 ]; then
  case $code:$told in
  124:*) echo 'failure hung' ;;
  127:* | *'not found'*) echo 'failure missing' ;;
  *denied* | *'a password is required'* | *'not in the sudoers'*) echo 'failure denied' ;;
  *'annot connect'* | *refused* | *'o such file'* | *'no such host'*) echo 'failure unreachable' ;;
  *) echo 'failure failed' ;;
  esac
  echo end
  exit 0
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
fields="$fields,{{json .State.StartedAt}}"
for one in project service oneoff config-hash project.working_dir; do
  fields="$fields,{{json ($label.$one\")}}"
done
fields="$fields,{{json .HostConfig.PortBindings}},{{json .HostConfig.NetworkMode}}"
fields="$fields,{{if .State.Health}}{{json .State.Health.Status}}{{else}}null{{end}}"
fields="$fields,[{{range \$name, \$_ := .NetworkSettings.Networks}}{{json \$name}},{{end}}null]]"

# Whether the containers of a project still are what their own files and variables say: Compose has
# put a digest on each, and makes one of the files as they are today.
hashes() { # a project, and the id of one of its containers
  project=$1 id=$2
  of() { docker inspect --type container --format "{{$label.project.$1\"}}" "$id" 2>/dev/null; }
  folder=$(of working_dir) files=$(of config_files) variables=$(of environment_file)
  [ -n "$files" ] || return 0
  set -- --project-name "$project" --project-directory "$folder"
  for flag in -f --env-file; do
    if [ "$flag" = -f ]; then rest=$files, ; else rest=$variables${variables:+,}; fi
    while [ -n "$rest" ]; do
      one=${rest%%,*} rest=${rest#*,}
      [ -f "$one" ] || return 0
      set -- "$@" "$flag" "$one"
    done
  done
  docker compose "$@" --profile '*' config --hash '*' 2>/dev/null | keyed "hash $project"
}

if ids=$(docker ps -aq --no-trunc 2>/dev/null); then
  [ -z "$ids" ] || printf '%s\n' "$ids" | {
    set --
    while read -r id; do set -- "$@" "$id"; done
    docker inspect --type container --format "$fields" "$@" 2>/dev/null </dev/null
  } | keyed container
  echo 'told containers'
  docker ps -a --no-trunc --filter label=com.docker.compose.oneoff=False \
    --format '{{.Label "com.docker.compose.project"}} {{.ID}}' 2>/dev/null |
    sort -u -k 1,1 | while read -r project id; do
    hashes "$project" "$id" </dev/null
  done
fi

unsafe=$(docker info --format \
  '{{range $name, $one := .RegistryConfig.IndexConfigs}}{{if not $one.Secure}}{{$name}} {{end}}{{end}}' \
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
  *denied* | *nauthorized* | *'authentication required'* | *orbidden*) echo "image $1 denied" ;;
  *'manifest unknown'* | *'no such manifest'* | *'not found'* | *'ame unknown'*) echo "image $1 absent" ;;
  *) echo "image $1 unknown" ;;
  esac
}
number=0
for one; do
  [ "$one" != -- ] || break
  look "$number" "$one" </dev/null &
  number=$((number + 1))
done
wait
echo end
