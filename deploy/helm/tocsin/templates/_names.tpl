{{- /* The name of every object. Names of Services have no dots and begin with a letter; the longest suffix still fits. */}}
{{- define "tocsin.name" -}}
{{- $name := .Values.fullnameOverride | default (regexReplaceAll "^([0-9])" (.Release.Name | replace "." "-") "tocsin-${1}") -}}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- /* The rules ask for the job "tocsin", whatever the release is called: the ServiceMonitor takes it from this label. */}}
{{- define "tocsin.selector" -}}
app.kubernetes.io/name: tocsin
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "tocsin.own" -}}
{{ include "tocsin.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: tocsin
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- /* Ours count where commonLabels say another. */}}
{{- define "tocsin.labels" -}}
{{ merge (include "tocsin.own" . | fromYaml) .Values.commonLabels | toYaml }}
{{- end }}
{{- define "tocsin.monitoring-labels" -}}
{{ merge (include "tocsin.own" . | fromYaml) .Values.operator.labels .Values.commonLabels | toYaml }}
{{- end }}
{{- define "tocsin.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}
{{- define "tocsin.service-account" -}}
{{ .Values.serviceAccount.name | default (ternary (include "tocsin.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}
{{- /* HTTPS where Tocsin is told a certificate, by `tls.secret` or by a setting of one's own. */}}
{{- define "tocsin.scheme" -}}
{{ ternary "HTTPS" "HTTP" (or (ne .Values.tls.secret "") (hasKey .Values.settings "TOCSIN_TLS_CERT_FILE")) }}
{{- end }}
{{- /* Where it is reached in the cluster. */}}
{{- define "tocsin.url" -}}
{{ printf "%s://%s.%s.svc:%v" (include "tocsin.scheme" . | lower) (include "tocsin.name" .) .Release.Namespace .Values.service.port }}
{{- end }}
{{- define "tocsin.policy-sources" -}}
- configMap: {name: {{ include "tocsin.name" . }}-policy}
{{- if .Values.contactsSecret }}
- secret: {name: {{ .Values.contactsSecret }}, optional: true}
{{- end }}
{{- end }}

{{- /* The variables, from all places that set one. A setting has one place: Tocsin refuses X beside X_FILE, and Helm an
object whose list has a key twice, when half of the release is applied. */}}
{{- define "tocsin.env" -}}
{{- $secrets := "/etc/tocsin/secrets/" }}
{{- $env := list (dict "name" "TOCSIN_WEBHOOK_TOKEN_FILE" "value" (print $secrets "webhook-token") "from" "alertmanagerSecret") }}
{{- range .Values.secretKeys }}
{{- $name := printf "TOCSIN_%s_FILE" (. | upper | replace "-" "_") }}
{{- $env = append $env (dict "name" $name "value" (print $secrets .) "from" (printf "secretKeys (%s)" .)) }}
{{- end }}
{{- if .Values.database.secretKey }}
{{- $env = append $env (dict "name" "TOCSIN_DATABASE_FILE" "value" (print $secrets .Values.database.secretKey) "from" "database.secretKey") }}
{{- else }}
{{- $env = append $env (dict "name" "TOCSIN_DATABASE" "value" "sqlite:////data/tocsin.db" "from" "the volume (database.secretKey is empty)") }}
{{- end }}
{{- if .Values.tls.secret }}
{{- $env = append $env (dict "name" "TOCSIN_TLS_CERT_FILE" "value" "/etc/tocsin/tls/tls.crt" "from" "tls.secret") }}
{{- $env = append $env (dict "name" "TOCSIN_TLS_KEY_FILE" "value" "/etc/tocsin/tls/tls.key" "from" "tls.secret") }}
{{- with .Values.tls.clientCaKey }}
{{- $env = append $env (dict "name" "TOCSIN_TLS_CLIENT_CA_FILE" "value" (print "/etc/tocsin/tls/" .) "from" "tls.clientCaKey") }}
{{- end }}
{{- end }}
{{- with .Values.authorities.secret }}
{{- $env = append $env (dict "name" "TOCSIN_CA_FILE" "value" (print "/etc/tocsin/authorities/" $.Values.authorities.key) "from" "authorities") }}
{{- end }}
{{- with .Values.authorities.configMap }}
{{- $env = append $env (dict "name" "TOCSIN_CA_FILE" "value" (print "/etc/tocsin/authorities/" $.Values.authorities.key) "from" "authorities.configMap") }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{- $text := ternary ($value | toJson) (toString $value) (or (kindIs "float64" $value) (kindIs "int64" $value)) }}
{{- $env = append $env (dict "name" $name "value" $text "from" "settings") }}
{{- end }}
{{- range .Values.extraEnv }}
{{- $env = append $env (merge (dict "from" "extraEnv") .) }}
{{- end }}
{{- $seen := dict }}
{{- range $env }}
{{- $setting := trimSuffix "_FILE" .name }}
{{- if hasKey $seen $setting }}
{{- fail (printf "%s is set twice, by %s and by %s: keep one of them" $setting (get $seen $setting) .from) }}
{{- end }}
{{- $_ := set $seen $setting .from }}
- {{ omit . "from" | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}

{{- /* What cannot be meant, said before anything is applied. */}}
{{- define "tocsin.contradictions" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.database.secretKey) }}
{{- fail "several replicas need PostgreSQL: set database.secretKey to the key of the Secret that holds its URL" }}
{{- end }}
{{- $compile := .Values.operator.compile.enabled }}
{{- if and .Values.operator.enabled (not .Values.operator.prometheusRule) (not .Values.operator.compiledElsewhere) (not $compile) }}
{{- fail "operator.enabled without the compiled rules would watch nothing: set operator.compile.enabled, hand over what `tocsin compile` wrote (--set-file operator.prometheusRule=compiled/prometheusrule.yaml), or set operator.compiledElsewhere where something else applies it" }}
{{- end }}
{{- if and $compile (not .Values.operator.enabled) }}
{{- fail "operator.compile.enabled is set and operator.enabled is false: nothing would be compiled" }}
{{- end }}
{{- if and $compile (or .Values.operator.prometheusRule .Values.operator.compiledElsewhere) }}
{{- fail "operator.compile.enabled compiles the policy in the cluster, and operator.prometheusRule or operator.compiledElsewhere says that it was compiled before: keep one of them" }}
{{- end }}
{{- if and $compile .Values.operator.compile.routes .Values.operator.alertmanagerConfig }}
{{- fail "operator.compile writes the AlertmanagerConfig too: leave operator.alertmanagerConfig out, or set operator.compile.routes to false" }}
{{- end }}
{{- if and (or .Values.operator.prometheusRule .Values.operator.alertmanagerConfig) (not .Values.operator.enabled) }}
{{- fail "operator.prometheusRule or operator.alertmanagerConfig is given and operator.enabled is false: nothing of it would be applied" }}
{{- end }}
{{- if and .Values.tls.secret (eq (toString (get .Values.settings "TOCSIN_TLS_CLIENTS")) "all") }}
{{- fail "TOCSIN_TLS_CLIENTS=all asks the kubelet's probes for a certificate, which they have not: set it to webhook, or let a proxy before Tocsin ask for certificates" }}
{{- end }}
{{- if and .Values.tls.clientCaKey (not .Values.tls.secret) }}
{{- fail "tls.clientCaKey needs tls.secret: certificates of clients are asked for by Tocsin's own TLS" }}
{{- end }}
{{- if and .Values.authorities.secret .Values.authorities.configMap }}
{{- fail "authorities.secret and authorities.configMap are both set: keep one of them" }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}
{{- fail "ingress.enabled needs ingress.hosts: under which names people reach Tocsin" }}
{{- end }}
{{- if and .Values.route.enabled (not .Values.route.parentRefs) }}
{{- fail "route.enabled needs route.parentRefs: the Gateway that the HTTPRoute belongs to" }}
{{- end }}
{{- end }}
