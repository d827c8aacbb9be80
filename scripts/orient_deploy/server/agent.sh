# shellcheck shell=sh
# What a deploy does on a server: steps that go on when whoever asked for them is gone.
#
#   open    starts `serve` in a session of its own, and speaks for it; $text is this script
#   attach  speaks again for one that is there
#   show    says how a folder stands, and takes no lock
#   serve   holds the lock, takes one step after another, and ends by itself when nobody has spoken to
#           it for a while
#
# Asked by lines `<number> <step> <arguments>`, it answers `<number> <key> <rest>`, at last
# `<number> done <code>`. No secret is among the arguments of a process, or in what it answers. What
# must survive a crash is written beside its place, flushed, and renamed. It decides nothing.
LC_ALL=C
export LC_ALL
umask 077
number=0

say() { printf '%s %s\n' "$number" "$*"; }
tell() { while IFS= read -r line || [ -n "$line" ]; do say "$1" "$line"; done; }
docker() { eval "$docker \"\$@\""; }
located() {
  case $1 in
  [~] | [~]/*) printf '%s\n' "$HOME${1#\~}" ;;
  *) printf '%s\n' "$1" ;;
  esac
}
flush() { sync "$@" 2>/dev/null || sync; }
put() { # one of our files and its text: whole, or as it was
  printf '%s\n' "$2" | dd "of=releases/$1.new" conv=fsync 2>/dev/null &&
    mv -f "releases/$1.new" "releases/$1" && flush releases
}
got() { [ ! -f "releases/$1" ] || cat "releases/$1"; }
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }
note() { # a line for the ledger
  put ledger "$({ got ledger; printf '%s %s\n' "$(now)" "$*"; } | tail -n 1000)"
}
journal() { # what is under way: a step, a release, deploy or rollback
  put journal "$*" && say journal "$1"
}

# --- who speaks for it

relay() {
  rm -f "$run/alone"
  (
    part='' line='' quiet=0 ended=''
    while :; do
      while IFS= read -r line; do
        printf '%s\n' "$part$line" || exit 0
        part='' quiet=0
      done
      part=$part$line
      # What it said last may have come after we looked.
      case $ended in left) exit 0 ;; dead) rm -rf "$run"; say dead; exit 0 ;; esac
      if [ ! -d "$run" ]; then
        ended=left
        continue
      elif [ -s "$run/pid" ] && ! kill -0 "$(cat "$run/pid")" 2>/dev/null; then
        ended=dead
        continue
      fi
      # Most steps answer soon; who waits for long need not know at once.
      quiet=$((quiet + 1)) pause=0.02
      [ $quiet -lt 40 ] || pause=0.2
      sleep $pause 2>/dev/null || sleep 1
    done <"$run/out"
  ) &
  follower=$!
  # The agent may be gone: to open its pipe for writing alone would wait for ever then.
  while IFS= read -r line && [ -p "$run/in" ]; do
    printf '%s\n' "$line" 1<>"$run/in"
  done 2>/dev/null
  [ ! -d "$run" ] || : >"$run/alone"
  kill $follower 2>/dev/null
  exit 0
}

front() { # open or attach, the folder, a name for this conversation, and what `serve` is told
  for one in flock setsid sha256sum tar mkfifo dd awk sed cmp; do
    command -v "$one" >/dev/null 2>&1 || { say lacks "$one"; exit 0; }
  done
  way=$1 folder=$(located "$2") run=releases/.run-$3
  shift 3
  [ "$way" = attach ] || mkdir -p "$folder/releases" 2>/dev/null
  cd "$folder" 2>/dev/null && [ -w releases ] || { say refused; exit 0; }
  if [ "$way" = open ]; then
    chmod 700 releases 2>/dev/null
    { mkdir "$run" && mkfifo "$run/in" && : >"$run/out"; } 2>/dev/null || { say refused; exit 0; }
    # shellcheck disable=SC2016,SC2154 # the other shell's; whoever starts this one sets $text
    setsid sh -c 'text=$1; shift; eval "$text"' agent "$text" serve "$run" "$@" \
      </dev/null >>"$run/out" 2>>"$run/errors" &
  fi
  [ -d "$run" ] || { say dead; exit 0; }
  relay
}

# --- the lock

holder() { [ ! -f releases/holder ] || tell holder <releases/holder; }
YIELD_S=40
take() { # seconds to wait, which run, who
  exec 9>>releases/lock
  waited=0
  until flock -n 9; do
    limit=$1
    # Whoever holds it has nobody left who would say what comes next: it leaves when it is wanted.
    if [ -e "$(sed -n 's/^folder //p' releases/holder 2>/dev/null)/alone" ]; then
      : >releases/wanted
      [ "$limit" -ge $YIELD_S ] || limit=$YIELD_S
    fi
    if [ "$waited" -ge "$limit" ]; then
      holder
      say locked
      exit 0
    fi
    if [ "$waited" -eq 0 ]; then
      holder
      say waiting
    fi
    sleep 1
    waited=$((waited + 1))
  done
  if [ -f releases/holder ]; then # it did not say goodbye
    before=$(sed -n 's/^run //p' releases/holder)
    note - taken-over "$before"
    say taken-over "$before"
  fi
  rm -f releases/wanted
  put holder "run $2
owner $3
boot $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
pid $$
folder $run
since $(now)"
}
leave() {
  rm -f releases/holder releases/wanted
  rm -rf releases/*.tmp "$run"
}

stands() {
  for one in journal good installed; do say "$one" "$(got $one)"; done
  got ledger | tail -n 60 | tell ledger
}

show() { # a folder
  cd "$(located "$1")" 2>/dev/null || { say refused; return; }
  say where "$(pwd)"
  [ ! -d releases ] || [ -r releases ] || { say refused; return; }
  stands
  if [ -e releases/lock ] && ! flock -n releases/lock true 2>/dev/null; then
    holder
    say locked
  fi
  for one in releases/*/release.json; do
    [ ! -f "$one" ] || tell release <"$one"
  done
  say open
}

serve() { # the conversation, seconds to wait for the lock, ticks without a word, run, owner, docker
  run=$1 wait=$2 patience=$3 whose=$4 owner=$5
  shift 5
  docker=
  for one; do docker="$docker '$(printf %s "$one" | sed "s/'/'\\\\''/g")'"; done
  # Nothing of whoever logged in here has a say in what Compose reads.
  for one in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
    case $one in PATH | HOME | LC_ALL | XDG_RUNTIME_DIR | DOCKER_*) ;; *) unset "$one" ;; esac
  done
  trap '' HUP
  trap 'rm -rf "$run"; exit 1' TERM INT
  exec 3<>"$run/in"
  printf '%s\n' $$ >"$run/pid"
  here=$(pwd)
  take "$wait" "$whose" "$owner"
  for one in releases/.run-*; do
    if [ "$one" != "$run" ] && ! kill -0 "$(cat "$one/pid" 2>/dev/null)" 2>/dev/null; then
      rm -rf "$one"
    fi
  done
  rm -rf releases/*.tmp
  (while sleep 5 && kill -0 $$; do echo '0 tick'; done >&3 2>/dev/null 9>&-) 9>&- &
  say where "$here"
  stands
  say open
  silent=0 last=0
  while IFS=' ' read -r number step rest <&3; do
    case $step in
    beat) silent=0 ;;
    tick)
      silent=$((silent + 1))
      if [ $silent -ge "$patience" ] || { [ $silent -ge 3 ] && [ -e releases/wanted ]; }; then
        say left
        leave
        exit 0
      fi
      ;;
    *)
      if [ "$number" -le "$last" ]; then continue; fi
      silent=0 last=$number
      say begun
      # shellcheck disable=SC2086 # arguments are words
      case $step in
      look | resolve | seal | pull | apply | inside | hook | check | good | bad | keep | prune | end)
        "do_$step" $rest
        ;;
      *) false ;;
      esac
      say "done" $?
      [ "$step" != end ] || { rm -rf "$run"; exit 0; }
      ;;
    esac
  done
}

# --- a release: settings, files/, env, pins.yml; then resolved.yml, services, images, list, sums

setting() { sed -n "s/^$1 //p" "$r/settings"; }
record() { # a release, staged or kept
  r=releases/$1
  [ -d "$r" ] || r=releases/$1.tmp
  [ -f "$r/settings" ] || { say lacks-release "$1"; return 1; }
  project=$(setting project) workdir=$(setting workdir) variables=$(setting env)
  if [ -z "$variables" ]; then # where Compose looks by itself
    case $workdir in . | '') variables=.env ;; *) variables=$workdir/.env ;; esac
  fi
}
folder_of() { # Compose's project directory
  case $1 in . | '') printf '%s\n' "$here" ;; *) printf '%s\n' "$here/${1#./}" ;; esac
}
compose() { # the resolved file of the release, and what is to be done with it
  rest=$#
  set -- "$@" compose -p "$project" --project-directory "$(folder_of "$workdir")" --env-file /dev/null \
    --progress plain
  while IFS= read -r line; do
    case $line in 'profile '*) set -- "$@" --profile "${line#profile }" ;; esac
  done <"$r/settings"
  set -- "$@" -f "$here/$r/resolved.yml"
  while [ "$rest" -gt 0 ]; do
    set -- "$@" "$1"
    shift
    rest=$((rest - 1))
  done
  docker "$@"
}

mirror() ( # a folder on the way to files of the release: links to whatever is beside them
  mkdir -p "$root$1" || exit
  for one in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ -e "$one" ] || [ -L "$one" ] || continue
    case $here/ in "$one"/*) mirror "$one"; continue ;; esac
    name=${one#"$here"/}
    if [ "$name" != "$one" ]; then
      if [ -d "$r/files/$name" ]; then mirror "$one"; continue; fi
      if [ -e "$r/files/$name" ]; then continue; fi
    fi
    ln -s "$one" "$root$one"
  done
)

# What Compose makes of the release's files, with the paths that they will have: it reads them below
# a folder that stands for the root of this machine, and that folder is taken off its answer.
do_resolve() {
  record "$1" || return
  journal staging "$1" deploy || return
  root=$here/$r/root
  rm -rf "$root"
  mirror '' && mkdir -p "$root$here/$workdir" && cp -R "$r/files/." "$root$here/" || return
  if [ -f "$r/env" ]; then
    rm -f "$root$here/$variables"
    mkdir -p "$(dirname "$root$here/$variables")"
    cp "$r/env" "$root$here/$variables"
  fi
  set -- compose -p "$project" --project-directory "$root$(folder_of "$workdir")"
  if [ -f "$root$here/$variables" ]; then
    set -- "$@" --env-file "$root$here/$variables"
  else
    set -- "$@" --env-file /dev/null
  fi
  while IFS= read -r line; do
    case $line in
    'file /'*) set -- "$@" -f "${line#file }" ;;
    'file '*) set -- "$@" -f "$root$here/${line#file }" ;;
    'profile '*) set -- "$@" --profile "${line#profile }" ;;
    esac
  done <"$r/settings"
  [ ! -f "$r/pins.yml" ] || set -- "$@" -f "$here/$r/pins.yml"
  docker "$@" config >"$r/resolved.new" 2>"$r/warnings"
  code=$?
  sed "s|$(printf %s "$root" | sed 's/[][\.*^$|]/\\&/g')||g" <"$r/warnings" | tell warning
  if [ $code -ne 0 ]; then
    rm -rf "$root" "$r/resolved.new"
    return $code
  fi
  sed "s|$(printf %s "$root" | sed 's/[][\.*^$|]/\\&/g')||g" <"$r/resolved.new" >"$r/resolved.yml"
  rm -rf "$root" "$r/resolved.new"
  awk '
    /^[^ ]/ { inside = $0 == "services:" }
    inside && /^  [^ ]/ { name = $1; sub(/:$/, "", name); gsub(/"/, "", name); print "service " name }
    inside && /^    image: / { image = $2; gsub(/"/, "", image); print "image " name " " image }
    inside && /^    container_name: / { print "name " name " " $2 }
  ' <"$r/resolved.yml" >"$r/model"
  sed -n 's/^service //p' <"$r/model" >"$r/services"
  while IFS= read -r line; do say "$line"; done <"$r/model"
  compose config --hash '*' 2>/dev/null | tell hash
}

# What the project's containers are, whatever made them.
do_look() { # the project, and the folder that it has
  docker ps -a --filter "label=com.docker.compose.project.working_dir=$(folder_of "$2")" \
    --format '{{.Label "com.docker.compose.project"}}' | sort -u | tell project
  release=$(got installed)
  got "$release/release.json" | tell release
  # What somebody changed since it was put there.
  if [ -n "$release" ] && record "$release"; then
    if [ -f "$r/env" ] && ! cmp -s "$r/env" "$variables"; then say edited "$variables"; fi
    while IFS= read -r path; do
      cmp -s "$r/files/$path" "$path" || say edited "$path"
    done <"$r/list"
  fi
  label='index .Config.Labels "com.docker.compose'
  fields='[{{json .Name}},{{json .Image}},{{json .Config.Image}},{{json .State.Status}}'
  for one in service config-hash oneoff project.working_dir project.config_files; do
    fields="$fields,{{json ($label.$one\")}}"
  done
  fields="$fields,[{{range .Mounts}}{{json .Source}},{{end}}null]]"
  ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$1") || return
  [ -z "$ids" ] || {
    # shellcheck disable=SC2086 # ids are words
    docker inspect --type container --format "$fields" $ids 2>/dev/null | tell container
    # shellcheck disable=SC2046,SC2086 # ids are words
    docker image inspect --format '[{{json .Id}},{{json .RepoDigests}}]' \
      $(docker inspect --type container --format '{{.Image}}' $ids | sort -u) 2>/dev/null |
      tell image
  }
}

do_keep() { # a release: copies of the files that it names, as they are now
  record "$1" || return
  while IFS= read -r path; do
    [ -f "$path" ] || continue
    mkdir -p "$(dirname "$r/files/$path")" && cp -p "$path" "$r/files/$path" || return
    sha256sum "$path" | sed 's/  / /' | tell kept
  done <"$r/wanted"
  if [ -f "$variables" ]; then
    cp "$variables" "$r/env" || return
  fi
}

# Every image of the release, where it is not here yet; nothing that runs is touched.
do_pull() { # a release
  record "$1" || return
  journal pulling "$1" deploy || return
  set -- --config "$run/docker"
  [ -d "$run/docker" ] || set --
  asked=
  : >"$r/pulled"
  while read -r _ service image; do
    (
      docker image inspect --format '{{.Id}}' "$image" >/dev/null 2>&1 && exit
      say pulling "$service $image"
      told=$(docker "$@" pull --quiet "$image" 2>&1 >/dev/null) && exit
      printf '%s\n' "$told" | tail -n 3 | tell failure
      echo "$service" >>"$r/pulled"
    ) 9>&- &
    asked="$asked $!"
  done <<EOF
$(sed -n '/^image /p' "$r/model")
EOF
  # shellcheck disable=SC2086 # ids are words
  wait $asked
  rm -rf "$run/docker"
  if [ -s "$r/pulled" ]; then
    rm -f releases/journal
    return 1
  fi
}

# What is staged becomes a release: complete, and on the disk.
do_seal() { # a release
  record "$1" || return
  rm -f "$r/pulled"
  while read -r _ service image; do
    printf '%s %s %s\n' "$service" "$image" \
      "$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || echo -)"
  done <<EOF >"$r/images"
$(sed -n '/^image /p' "$r/model")
EOF
  (cd "$r/files" && find . -type f | sed 's|^\./||' | sort) >"$r/list" || return
  (cd "$r" && find . -type f ! -name 'sums*' -exec sha256sum {} + >sums.new && mv sums.new sums) ||
    return
  find "$r" -exec sync {} + 2>/dev/null || sync
  [ "$r" = "releases/$1" ] || mv "$r" "releases/$1" || return
  flush releases
  r=releases/$1
  tell image <"$r/images"
}

put_file() { # what, where, and the modes of the folders on the way
  if cmp -s "$1" "$2"; then return 0; fi
  mkdir -p "$(dirname "$2")" || return
  if [ -f "$2" ] && printf '%s\n' "$mounted" | grep -qxF "$here/$2"; then
    cat "$1" >"$2" || return # a container has this very file
  else
    cp -p "$1" "$2.orient-deploy" && mv -f "$2.orient-deploy" "$2" || return
  fi
  flush "$2"
  say file "$2"
}

install_files() (
  umask 022
  mounted=$(docker ps -aq --filter "label=com.docker.compose.project=$project" |
    while read -r one; do
      docker inspect --format '{{range .Mounts}}{{println .Source}}{{end}}' "$one" 2>/dev/null
    done)
  before=$(got installed)
  if [ -n "$before" ] && [ -f "releases/$before/list" ]; then
    while IFS= read -r path; do
      [ -e "$r/files/$path" ] || rm -f -- "$path" || return
    done <"releases/$before/list"
  fi
  while IFS= read -r path; do put_file "$r/files/$path" "$path" || return; done <"$r/list"
  if [ -f "$r/env" ] && [ -z "$keep_variables" ]; then
    [ ! -f "$variables" ] || chmod "$(stat -c %a "$variables")" "$r/env"
    put_file "$r/env" "$variables" || return
  fi
)

# The release becomes what runs. Repeated after a crash it comes to the same.
do_apply() { # a release, deploy or rollback, `keep-env` or nothing
  record "$1" || return
  keep_variables=${3:-}
  (cd "$r" && sha256sum -c sums >/dev/null 2>&1) || { say damaged "$1"; return 1; }
  journal installing "$1" "$2" || return
  install_files || { say failure 'a file could not be written'; return 1; }
  put installed "$1" || return
  journal applying "$1" "$2" || return
  while read -r _ image id; do # a tag may have moved since
    case $image:$id in *@* | *:-) continue ;; esac
    [ "$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null)" = "$id" ] ||
      docker tag "$id" "$image" 2>/dev/null
  done <"$r/images"
  # What an earlier release ran and this one does not, before it is in the way of what is new.
  docker ps -a --filter "label=com.docker.compose.project=$project" \
    --filter label=com.docker.compose.oneoff=False \
    --format '{{.ID}} {{.Label "com.docker.compose.service"}}' |
    while read -r id service; do
      if ! grep -qxF "$service" "$r/services" && cat releases/*/services | grep -qxF "$service"; then
        say removed "$service"
        docker stop "$id" >/dev/null 2>&1
        docker rm -f "$id" >/dev/null 2>&1
      fi
    done
  compose up -d --no-build --pull never >>"$r/log" 2>&1
  code=$?
  [ $code -eq 0 ] || tail -n 5 "$r/log" | tell failure
  journal applied "$1" "$2" || return
  return $code
}

do_inside() { # a release, a service, a command in base64: run in its containers
  record "$1" || return
  command=$(printf %s "$3" | base64 -d) || return
  for one in $(docker ps -q --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$2"); do
    told=$(docker exec "$one" sh -c "$command" 2>&1)
    code=$?
    if [ $code -ne 0 ]; then
      printf '%s\n' "$told" | tail -n 5 | tell failure
      return $code
    fi
  done
}

do_hook() { # seconds, a command in base64, in the folder of the deployment
  command=$(printf %s "$2" | base64 -d) || return
  setsid sh -c "$command" </dev/null >"$run/hook" 2>&1 3>&- 9>&- &
  hook=$!
  (
    sleep "$1"
    kill -KILL -$hook
  ) >/dev/null 2>&1 3>&- 9>&- &
  limit=$!
  wait $hook
  code=$?
  kill $limit 2>/dev/null
  tail -n 5 "$run/hook" | tell output
  return $code
}

do_check() { # a release: what it runs
  record "$1" || return
  tell service <"$r/services"
}

do_good() { # a release, `adopted` or nothing: it was judged, and is what a rollback goes back to
  [ "${2:-}" != adopted ] || put installed "$1" || return
  journal marking "$1" good || return
  note "$1" good && put good "$1" && rm -f releases/journal && flush releases
  ln -sfn "$1" releases/current
  awk -v "of=$1" '{ print $1, $3 }' "releases/$1/images" | while read -r service id; do
    [ "$id" = - ] || docker tag "$id" "orient-deploy/$(sed -n 's/^project //p' \
      "releases/$1/settings"):$1-$service" 2>/dev/null
  done
  return 0
}

do_bad() { # a release, a word: how it was judged
  note "$1" "$2" && rm -f releases/journal && flush releases
}

do_prune() { # releases that stay
  for one in releases/*/settings; do
    one=${one%/settings} one=${one#releases/}
    case " $* $(got good) $(got installed) " in *" $one "*) continue ;; esac
    case $one in *.tmp | '*' | current) continue ;; esac
    mv "releases/$one" "releases/$one.tmp" || return
    while read -r service image _; do
      docker rmi "orient-deploy/$(sed -n 's/^project //p' "releases/$one.tmp/settings"):$one-$service"
      # By a tag it may be somebody else's; what still runs, the engine keeps.
      case $image in *@*) cat releases/*/images | grep -qF " $image " || docker rmi "$image" ;; esac
    done <"releases/$one.tmp/images" >/dev/null 2>&1
    rm -rf "releases/$one.tmp"
    say pruned "$one"
  done
}

do_end() {
  rm -f releases/holder releases/wanted
  rm -rf releases/*.tmp
  case $(got journal) in staging* | pulling*) rm -f releases/journal ;; esac
}

case $1 in
serve)
  shift
  serve "$@"
  ;;
open | attach) front "$@" ;;
show) show "$2" ;;
esac
