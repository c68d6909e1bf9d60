using System.Globalization;
using Dataplane.Names;

namespace Dataplane.Mesh.Xds;

/// <summary>The service of a mesh that the name of a cluster means.</summary>
/// <param name="Namespace">Name space of the service.</param>
/// <param name="Service">Name of the service.</param>
/// <param name="Port">Port of the service; 0: the service is declared elsewhere.</param>
internal readonly record struct ClusterName(string Namespace, string Service, ushort Port)
{
    /// <summary>Reads <c>SERVICE</c>, <c>NAMESPACE/SERVICE</c>, both with <c>:PORT</c> behind, or as Istio names clusters: <c>outbound|PORT||SERVICE.NAMESPACE.svc.DOMAIN</c>.</summary>
    public static bool TryParse(string text, out ClusterName name)
    {
        name = default;
        string space = "default", service, port = "";
        if (text.Split('|') is ["outbound", var number, "", var host])
        {
            if (host.Split('.') is not [var first, var second, "svc", ..])
            {
                return false;
            }

            (service, space, port) = (first, second, number);
        }
        else
        {
            string[] parts = text.Split(':', 2);
            (service, port) = (parts[0], parts.Length > 1 ? parts[1] : "0");
            if (service.Split('/') is [var before, var behind])
            {
                (space, service) = (before, behind);
            }
        }

        bool isDeclaredElsewhere = !text.Contains(':', StringComparison.Ordinal) && !text.Contains('|', StringComparison.Ordinal);
        if (DomainName.ProblemOfLabel(service) is not null || DomainName.ProblemOfLabel(space) is not null
            || !ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort parsed) || (parsed == 0 && !isDeclaredElsewhere))
        {
            return false;
        }

        name = new ClusterName(space, service, parsed);
        return true;
    }
}
