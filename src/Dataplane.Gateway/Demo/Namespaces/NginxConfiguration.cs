using System.Globalization;

namespace Dataplane.Gateway.Demo.Namespaces;

/// <summary>The nginx of one backend: one process in the foreground that answers with its backend's name.</summary>
internal static class NginxConfiguration
{
    /// <summary>Writes the file and returns the command that runs it.</summary>
    public static async Task<IEnumerable<string>> WriteAsync(string nginx, string folder, int backend)
    {
        string name = DemoPlan.Name(backend);
        string path = Path.Combine(folder, $"{name}.nginx.conf");
        await File.WriteAllTextAsync(path, string.Create(CultureInfo.InvariantCulture, $$"""
            daemon off;
            master_process off;
            pid {{folder}}/{{name}}.pid;
            error_log stderr crit;
            events { worker_connections 1024; }
            http {
              access_log off;
              client_body_temp_path {{folder}}/{{name}}.body;
              proxy_temp_path {{folder}}/{{name}}.proxy;
              fastcgi_temp_path {{folder}}/{{name}}.fastcgi;
              uwsgi_temp_path {{folder}}/{{name}}.uwsgi;
              scgi_temp_path {{folder}}/{{name}}.scgi;
              server {
                listen {{DemoPlan.WebPort}};
                listen [::]:{{DemoPlan.WebPort}} ipv6only=on;
                add_header X-Backend {{name}};
                location / { default_type text/plain; return 200 "{{name}}\n"; }
              }
            }

            """)).ConfigureAwait(false);
        return [nginx, "-p", folder, "-e", "stderr", "-c", path];
    }
}
