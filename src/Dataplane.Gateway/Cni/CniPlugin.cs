using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Cni;

/// <summary>The program as a plugin of container runtimes (CNI 1.1.0): called with CNI_COMMAND set, it carries out one request by the network service.</summary>
internal static class CniPlugin
{
    /// <summary>Carries out what the environment and the standard input say.</summary>
    /// <param name="environment">What the runtime said by variables.</param>
    /// <param name="input">The configuration.</param>
    /// <param name="output">Where the result goes, or the error.</param>
    /// <param name="connect">Makes the way to the service that listens at a path.</param>
    /// <returns>0, or 1 with an error printed.</returns>
    public static async Task<int> RunAsync(CniEnvironment environment, string input, TextWriter output, Func<string, ControlClient> connect)
    {
        string version = "";
        try
        {
            if (environment.Command == "VERSION")
            {
                await PrintAsync(output, CniResult.OfVersions(input.Trim().Length > 0 ? CniConfiguration.Parse(input).Version : "")).ConfigureAwait(false);
                return ExitCode.Ok;
            }

            if (environment.Command is not ("ADD" or "DEL" or "CHECK" or "STATUS" or "GC"))
            {
                throw new CniException(CniCode.InvalidEnvironment, $"unknown CNI_COMMAND: {environment.Command}");
            }

            var configuration = CniConfiguration.Parse(input);
            version = configuration.Version;
            configuration.Demand(environment.Command);
            using ControlClient client = connect(configuration.Socket);
            if (await CarryOutAsync(environment, configuration, client).ConfigureAwait(false) is { } result)
            {
                await PrintAsync(output, result).ConfigureAwait(false);
            }

            return ExitCode.Ok;
        }
        catch (CniException refused)
        {
            await PrintAsync(output, CniResult.OfError(version, refused)).ConfigureAwait(false);
        }
        catch (NetworkException refused)
        {
            await PrintAsync(output, CniResult.OfError(version, new CniException(CodeOf(refused.Fault), refused.Message))).ConfigureAwait(false);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException or FormatException)
        {
            await PrintAsync(output, CniResult.OfError(version, new CniException(CniCode.Io, refused.Message))).ConfigureAwait(false);
        }

        return ExitCode.Failed;
    }

    private static async Task<JsonObject?> CarryOutAsync(CniEnvironment environment, CniConfiguration configuration, ControlClient client)
    {
        switch (environment.Command)
        {
            case "ADD":
                environment.Demand(withNamespace: true);
                return CniResult.OfAttachment(configuration, await AddAsync(environment, configuration, client).ConfigureAwait(false));
            case "DEL":
                // Without a namespace too: it may be gone, and must be no reason to keep the address.
                environment.Demand(withNamespace: false);
                await client.DetachAsync(configuration.Network, environment.ContainerId, environment.Interface).ConfigureAwait(false);
                return null;
            case "CHECK":
                environment.Demand(withNamespace: true);
                await CheckAsync(environment, configuration, client).ConfigureAwait(false);
                return null;
            case "GC":
                await client.CollectAsync(configuration.Network, configuration.ValidAttachments()).ConfigureAwait(false);
                return null;
            default:
                await DemandReadyAsync(client).ConfigureAwait(false);
                return null;
        }
    }

    private static async Task<AttachReply> AddAsync(CniEnvironment environment, CniConfiguration configuration, ControlClient client)
    {
        EndpointRecord endpoint = configuration.ToEndpoint(environment);
        NetworkView[] all = await client.ListAsync().ConfigureAwait(false);
        if (!Array.Exists(all, view => view.Network.Name == configuration.Network))
        {
            try
            {
                await client.CreateAsync(configuration.ToNetwork()).ConfigureAwait(false);
            }
            catch (NetworkException both) when (both.Fault == NetworkFault.Conflict)
            {
                // Another container may have come at the same time and made it; if it was something else, attaching says so.
                if (!Array.Exists(await client.ListAsync().ConfigureAwait(false), view => view.Network.Name == configuration.Network))
                {
                    throw;
                }
            }
        }

        return await client.AttachAsync(configuration.Network, endpoint).ConfigureAwait(false);
    }

    private static async Task CheckAsync(CniEnvironment environment, CniConfiguration configuration, ControlClient client)
    {
        if (configuration.PreviousResult is not { } previous)
        {
            throw new CniException(CniCode.InvalidConfiguration, "CHECK without prevResult");
        }

        NetworkView view = await client.GetAsync(configuration.Network).ConfigureAwait(false);
        string key = $"{environment.ContainerId}/{environment.Interface}";
        if (view.Endpoints.FirstOrDefault(candidate => candidate.Key == key) is not { } endpoint)
        {
            throw new CniException(CniCode.CheckFailed, $"{key} is not attached to {configuration.Network}");
        }

        if (!AttachKind.HasInterface(endpoint))
        {
            CheckSocket(endpoint, CniResult.AddressesOf(previous, environment.Interface, environment.Namespace));
            return;
        }

        IReadOnlyList<IpPrefix> found = KernelInterface.TryReadAddresses(environment.Namespace, environment.Interface)
            ?? throw new CniException(CniCode.CheckFailed, $"{environment.Namespace} has no interface {environment.Interface}");
        foreach (IpPrefix address in CniResult.AddressesOf(previous, environment.Interface, environment.Namespace))
        {
            if (!found.Contains(address) || !endpoint.Addresses.Contains(address.Address.ToString()))
            {
                throw new CniException(CniCode.CheckFailed, $"{environment.Interface} in {environment.Namespace} has lost {address}", $"it has {string.Join(", ", found)}");
            }
        }
    }

    /// <summary>What can be seen from outside of one that speaks memif: its socket, and that its addresses are its own.</summary>
    private static void CheckSocket(EndpointRecord endpoint, IReadOnlyList<IpPrefix> addresses)
    {
        if (!File.Exists(endpoint.Socket))
        {
            throw new CniException(CniCode.CheckFailed, $"{endpoint.Key} has lost its socket {endpoint.Socket}");
        }

        if (addresses.Any(address => !endpoint.Addresses.Contains(address.Address.ToString())))
        {
            throw new CniException(CniCode.CheckFailed, $"{endpoint.Key} has other addresses: {string.Join(", ", endpoint.Addresses)}");
        }
    }

    private static async Task DemandReadyAsync(ControlClient client)
    {
        try
        {
            ServiceStatus status = await client.StatusAsync().ConfigureAwait(false);
            if (!status.Ready)
            {
                throw new CniException(CniCode.NotAvailable, status.Detail);
            }
        }
        catch (NetworkException gone) when (gone.Fault == NetworkFault.Unreachable)
        {
            throw new CniException(CniCode.NotAvailable, gone.Message);
        }
    }

    private static int CodeOf(NetworkFault fault) => fault switch
    {
        NetworkFault.Unreachable => CniCode.TryLater,
        NetworkFault.NotFound => CniCode.ContainerUnknown,
        NetworkFault.Invalid => CniCode.InvalidConfiguration,
        NetworkFault.Exhausted => CniCode.NoAddress,
        NetworkFault.Conflict => CniCode.Taken,
        _ => CniCode.Refused,
    };

    private static async Task PrintAsync(TextWriter output, JsonObject value)
    {
        // Quotation marks in messages stay legible: nothing of this is put into a page.
        using var bytes = new MemoryStream();
        await using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            value.WriteTo(json);
        }

        await output.WriteLineAsync(Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length)).ConfigureAwait(false);
    }
}
