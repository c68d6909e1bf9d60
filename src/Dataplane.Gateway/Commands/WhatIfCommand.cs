using System.Text;
using System.Text.Json;
using Dataplane.Configuration;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh;

namespace Dataplane.Gateway.Commands;

/// <summary>Asks a running gateway what a configuration would do to its flows.</summary>
internal sealed class WhatIfCommand : Command
{
    private static readonly Option s_strict = new("--strict", "", "exit with 1 when a flow would move or end");

    public override string Name => "what-if";

    public override string Summary => "tell what a configuration would do to the flows of a running gateway, without applying it";

    public override string Details => """
        Counted are the flows the gateway has now: those that would be kept, moved to another backend, or ended; and the slots of consistent hashing that would
        move, against the least possible. Nothing is changed. With --strict the exit code says whether every flow would be kept. Name servers of a mesh, and ports
        that the running program has made, are not compared, which is said.
        """;

    public override IReadOnlyList<string> Positionals => ["FILE"];

    public override IReadOnlyList<Option> Options => [s_strict, BridgeOptions.Socket, BridgeOptions.Json];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        DataplaneSpec spec = ConfigurationFile.Load(arguments.Positionals[0], MeshRuntime.ExpandOnce).GetSpec();
        using var candidate = new StringContent(SpecWriter.ToYaml(spec), Encoding.UTF8);
        using ControlClient client = BridgeOptions.Connect(arguments);
        WhatIfReply reply = await client.SendAsync(HttpMethod.Post, spec.Names.Count > 0 ? "/v1/what-if?names=1" : "/v1/what-if", candidate, StatusJson.Default.WhatIfReply).ConfigureAwait(false);
        if (arguments.Has(BridgeOptions.Json))
        {
            await output.Out.WriteLineAsync(JsonSerializer.Serialize(reply, StatusJson.Default.WhatIfReply)).ConfigureAwait(false);
        }
        else
        {
            foreach (string line in reply.Lines())
            {
                await output.Out.WriteLineAsync(line).ConfigureAwait(false);
            }
        }

        return arguments.Has(s_strict) && reply.Moved + reply.Ended > 0 ? ExitCode.Failed : ExitCode.Ok;
    }
}
