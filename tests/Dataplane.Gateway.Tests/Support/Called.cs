using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Mesh;

namespace Dataplane.Gateway.Tests.Support;

/// <summary>Calls commands as the program does, without a process of their own.</summary>
internal static class Called
{
    private static readonly Command[] s_commands =
    [
        new RunCommand(), new CheckCommand(), new ExplainCommand(), new ReplayCommand(), new DemoCommand(), new CapabilitiesCommand(), new FlowsCommand(), new CaptureCommand(), new WhatIfCommand(), new BridgeShowCommand(), new BridgeAddressesCommand(), new BridgeFlushCommand(),
        new RelayCommand(), new AuthorityInitCommand(), new AuthorityIssueCommand(), new AuthorityBundleCommand(),
    ];

    public static IReadOnlyList<Command> Commands => s_commands;

    public static async Task<Ended> WithAsync(params string[] words)
    {
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int exitCode = await Dispatcher.RunAsync(s_commands, words, new Output(output, error));
        return new Ended(exitCode, output.ToString(), error.ToString());
    }
}
