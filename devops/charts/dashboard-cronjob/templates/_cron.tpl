{{/*
Refuses a cron line that Kubernetes would refuse, with the field and what it may be. Kubernetes
knows numbers, *, ?, lists, ranges, steps and English names of months and weekdays. No range may
run over the end of the week or the year.
*/}}
{{- define "runmetrics.checkCron" -}}
{{- if not (hasPrefix "@" .) -}}
{{- $line := . -}}
{{- $months := list "" "jan" "feb" "mar" "apr" "may" "jun" "jul" "aug" "sep" "oct" "nov" "dec" -}}
{{- $days := list "sun" "mon" "tue" "wed" "thu" "fri" "sat" -}}
{{- $fields := list
  (dict "name" "minute" "range" "0-59" "one" "[0-5]?[0-9]")
  (dict "name" "hour" "range" "0-23" "one" "[01]?[0-9]|2[0-3]")
  (dict "name" "day of the month" "range" "1-31" "one" "0?[1-9]|[12][0-9]|3[01]")
  (dict "name" "month" "range" "1-12 or jan-dec" "names" $months "one" (printf "0?[1-9]|1[0-2]|%s" (rest $months | join "|")))
  (dict "name" "day of the week" "range" "0-6 or sun-sat" "names" $days "one" (printf "[0-6]|%s" (join "|" $days)))
-}}
{{- range $i, $text := splitList " " . -}}
{{- $field := index $fields $i -}}
{{- $part := printf "(?i)^(([*?])|((%s)(-(%s))?))(/[1-9][0-9]*)?$" $field.one $field.one -}}
{{- range splitList "," $text -}}
{{- if not (regexMatch $part .) -}}
{{- fail (printf "schedule %q: the %s is %q; it may be %s, *, a list, a range or a step such as */5" $line $field.name $text $field.range) -}}
{{- end -}}
{{- $ends := list -}}
{{- range regexFind "^[0-9a-z]+-[0-9a-z]+" (lower .) | splitList "-" -}}
{{- $end := . -}}
{{- range $number, $name := $field.names -}}{{- if and $name (eq $end $name) -}}{{- $end = toString $number -}}{{- end -}}{{- end -}}
{{- $ends = append $ends (atoi $end) -}}
{{- end -}}
{{- if gt (first $ends) (last $ends) -}}
{{- fail (printf "schedule %q: the %s %q runs backwards; write it as two ranges, such as fri-sat,sun-mon" $line $field.name $text) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
