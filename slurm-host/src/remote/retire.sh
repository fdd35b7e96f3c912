(
cd -P -- "$B/.bin" || exit
c=
for v in $(ls -1t | grep -x '@HASH@' | tail -n +@FIRST@); do
[ -z "$(find "./$v" -prune -mtime +@UNUSED@)" ] || c="$c $v"
done
[ "$c" ] || exit
u() {
ls "$1" || echo '!' >&3
for d in "$1"/*/*/; do
if [ -f "$d/script.sh" ] && { ! [ -e "$d/result" ] || head -c @WITHIN@ -- "$d/result" | grep -qF '@EXITED@'; } && [ "$(find "$d" -maxdepth 1 ! -mtime +@SILENT@ | head -n 1)" ]; then
grep -o '/\.bin/@HASH@' "$d/script.sh" >&3
[ $? != 2 ] || echo '!' >&3
fi
[ ! -d "$d/tasks" ] || (u "$d/tasks")
done
}
w() {
u "$B"
for v in $c; do
for f in "./$v/@ELSEWHERE@"*; do
[ ! -f "$f" ] || { d=$(cat -- "$f") || echo '!' >&3; [ ! -d "$d" ] || u "$d"; }
done
done
}
n=$(w 3>&1 >/dev/null)
case $n in *'!'*) exit;; esac
for v in $c; do
case $n in *"/.bin/$v"*) continue;; esac
mv "$v" ".going-$v-$$" || continue
if [ -z "$(find "./.going-$v-$$" -prune -mtime +@UNUSED@)" ] && ! [ -e "$v" ]; then
mv ".going-$v-$$" "$v"
continue
fi
rm -rf "./.going-$v-$$"
done
) >/dev/null 2>&1 </dev/null &
