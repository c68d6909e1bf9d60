using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Dataplane.Gateway.CommandLine;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh;
using Dataplane.Mesh.Services;
using Dataplane.Mesh.Sources;

namespace Dataplane.Gateway.Mesh;

/// <summary>Shows the services of a mesh: names, addresses, endpoints, and what is wrong with them.</summary>
internal sealed class MeshServicesCommand : Command
{
    private static readonly Option s_json = new("--json", "", "for programs");

    public override string Name => "mesh services";

    public override string Summary => "show the services of a mesh: names, addresses, endpoints";

    public override string Details => """
        Hears the sources of FILE once (a registry is not opened but asked) and prints each service with its name, its addresses and
        its endpoints. A gateway that runs the same FILE gives the same addresses.
        """;

    public override IReadOnlyList<string> Positionals => ["FILE"];

    public override IReadOnlyList<Option> Options => [s_json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        await using var mesh = new MeshRuntime(TimeProvider.System);
        LoadResult loaded = ConfigurationFile.Load(arguments.Positionals[0], spec => mesh.StartAsync(spec, isRegistryOpened: false).GetAwaiter().GetResult());
        loaded.GetSpec();
        if (arguments.Has(s_json))
        {
            await output.Out.WriteLineAsync(Json(mesh.Services)).ConfigureAwait(false);
            return ExitCode.Ok;
        }

        foreach (MeshServiceStatus service in mesh.Services)
        {
            foreach (string line in Lines(service))
            {
                await output.Out.WriteLineAsync(line).ConfigureAwait(false);
            }
        }

        foreach (SourceStatus source in mesh.Sources.Where(source => source.IsStale))
        {
            await output.Error.WriteLineAsync($"source {source.Name}: {source.Problem}").ConfigureAwait(false);
        }

        return ExitCode.Ok;
    }

    private static IEnumerable<string> Lines(MeshServiceStatus service)
    {
        string where = string.Join(", ", service.Addresses.Select(address => address.ToString()).Concat(service.LoadBalancerAddresses.Select(address => $"{address} (load balancer)")));
        string ports = string.Join(", ", service.Ports);
        yield return string.Create(CultureInfo.InvariantCulture,
            $"{service.DnsName}  {Kind(service.Kind)}  {(where.Length > 0 ? where : "-")}  {(ports.Length > 0 ? ports : "-")}  {service.Ready} of {service.Endpoints.Count} endpoints ready  ({service.Source})");
        foreach (MeshEndpointSpec endpoint in service.Endpoints)
        {
            yield return $"  {endpoint.Address}{(endpoint.Name.Length > 0 ? $" {endpoint.Name}" : "")}{(endpoint.IsReady ? "" : " not ready")}";
        }

        if (service.Problem.Length > 0)
        {
            yield return $"  ! {service.Problem}";
        }
    }

    private static string Kind(MeshServiceKind kind) => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());

    private static string Json(IReadOnlyList<MeshServiceStatus> services)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartArray();
            foreach (MeshServiceStatus service in services)
            {
                json.WriteStartObject();
                json.WriteString("name", service.Name);
                json.WriteString("namespace", service.Namespace);
                json.WriteString("kind", Kind(service.Kind));
                json.WriteString("source", service.Source);
                json.WriteString("dns_name", service.DnsName);
                WriteList(json, "addresses", service.Addresses.Select(address => address.ToString()));
                WriteList(json, "load_balancer_addresses", service.LoadBalancerAddresses.Select(address => address.ToString()));
                WriteList(json, "ports", service.Ports);
                json.WriteNumber("ready", service.Ready);
                WriteList(json, "endpoints", service.Endpoints.Select(endpoint => endpoint.Address.ToString()));
                json.WriteString("problem", service.Problem);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<string> items)
    {
        json.WriteStartArray(name);
        foreach (string item in items)
        {
            json.WriteStringValue(item);
        }

        json.WriteEndArray();
    }
}
