using System.Diagnostics.Metrics;

namespace Dataplane.Mesh.Relay;

/// <summary>One metric of a relay: one table for meters and for Prometheus' text.</summary>
/// <param name="Name">Dotted, without unit.</param>
/// <param name="IsCounter">Whether it only grows.</param>
/// <param name="Unit">UCUM.</param>
/// <param name="Description">One line for people.</param>
/// <param name="Read">Reads it from a status.</param>
internal sealed record RelayMetric(string Name, bool IsCounter, string Unit, string Description, Func<RelayStatus, IEnumerable<Measurement<long>>> Read)
{
    /// <summary>All of them. No client, address or identity of one is a label: their number has no bound.</summary>
    internal static readonly RelayMetric[] All =
    [
        new("dataplane.relay.active_connections", false, "{connection}", "Connections that stand or are being made.",
            status => status.Listeners.Select(one => Of(one.Active, ("listener", one.Name)))),
        new("dataplane.relay.connections", true, "{connection}", "Connections that came in.",
            status => status.Listeners.Select(one => Of(one.Accepted, ("listener", one.Name)))),
        new("dataplane.relay.ended", true, "{connection}", "Connections that ended, by reason and by the side it lies at; refused ones and failed handshakes too.",
            status => status.Listeners.SelectMany(one => one.Ends.Select(end =>
                Of(end.Value, ("listener", one.Name), ("side", end.Key.Split('.')[0]), ("reason", end.Key.Split('.')[1]))))),
        new("dataplane.relay.io", true, "By", "Bytes of applications that were carried.",
            status => status.Listeners.SelectMany(one => new[]
            {
                Of(one.BytesFromClient, ("listener", one.Name), ("direction", "from_client")),
                Of(one.BytesToClient, ("listener", one.Name), ("direction", "to_client")),
            })),
        new("dataplane.relay.handshakes", true, "{handshake}", "TLS handshakes that succeeded, on either side.",
            status => status.Listeners.Select(one => Of(one.Handshakes, ("listener", one.Name)))),
        new("dataplane.relay.handshake_time_ns", true, "1", "Nanoseconds that they took together.",
            status => status.Listeners.Select(one => Of(one.HandshakeNs, ("listener", one.Name)))),
        new("dataplane.relay.denied", true, "{connection}", "Connections that a policy refused; in dry run, would have refused.",
            status => status.Denied.Select(one => Of(one.Value, ("policy", one.Key), ("dry_run", "false")))
                .Concat(status.WouldDeny.Select(one => Of(one.Value, ("policy", one.Key), ("dry_run", "true"))))),
        new("dataplane.relay.endpoint.connections", false, "{connection}", "Connections to an endpoint.",
            status => Endpoints(status, endpoint => endpoint.Active)),
        new("dataplane.relay.endpoint.failures", true, "{connection}", "Connections to an endpoint that could not be made.",
            status => Endpoints(status, endpoint => endpoint.Failures)),
        new("dataplane.relay.endpoint.ejected", false, "1", "Whether an endpoint is left out because it refused several connections in a row.",
            status => Endpoints(status, endpoint => endpoint.IsEjected ? 1 : 0)),
        new("dataplane.relay.certificate.expiry", false, "s", "When a certificate of the relay ends to be valid, in seconds of Unix time.",
            status => status.Certificates.Select(one => Of(one.NotAfter.ToUnixTimeSeconds(), ("certificate", one.Name)))),
        new("dataplane.relay.certificate.revision", true, "1", "How often a certificate was taken from its files.",
            status => status.Certificates.Select(one => Of(one.Revision, ("certificate", one.Name)))),
        new("dataplane.relay.certificate.failures", true, "1", "How often changed files of a certificate could not be used; the last good ones stayed in force.",
            status => status.Certificates.Select(one => Of(one.Failures, ("certificate", one.Name)))),
    ];

    private static IEnumerable<Measurement<long>> Endpoints(RelayStatus status, Func<EndpointStatus, long> value) => status.Listeners.SelectMany(one =>
        one.Endpoints.Select(endpoint => Of(value(endpoint), ("listener", one.Name), ("route", endpoint.Route), ("endpoint", endpoint.Address))));

    private static Measurement<long> Of(long value, params (string Name, string Value)[] labels) =>
        new(value, [.. labels.Select(label => new KeyValuePair<string, object?>(label.Name, label.Value))]);
}
