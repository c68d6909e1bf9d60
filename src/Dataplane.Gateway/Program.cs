using Dataplane.Gateway.Cni;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Commands.Network;
using Dataplane.Gateway.Demo.Traffic;
using Dataplane.Gateway.Mesh;
using Dataplane.Gateway.Networks;

// Container runtimes call plugins without arguments, and say by environment what they want.
if (args.Length == 0 && CniEnvironment.Read(Environment.GetEnvironmentVariable) is { Command.Length: > 0 } request)
{
    string input = await Console.In.ReadToEndAsync().ConfigureAwait(false);
    return await CniPlugin.RunAsync(request, input, Console.Out, socket => new ControlClient(socket)).ConfigureAwait(false);
}

Command[] commands =
[
    new RunCommand(),
    new CheckCommand(),
    new ExplainCommand(),
    new ReplayCommand(),
    new DemoCommand(),
    new FlowsCommand(),
    new CaptureCommand(),
    new WhatIfCommand(),
    new BridgeShowCommand(),
    new BridgeAddressesCommand(),
    new BridgeFlushCommand(),
    new NetworkServeCommand(),
    new NetworkCreateCommand(),
    new NetworkListCommand(),
    new NetworkInspectCommand(),
    new NetworkRemoveCommand(),
    new NetworkAttachCommand(),
    new NetworkDetachCommand(),
    new NetworkPublishCommand(),
    new UpCommand(),
    new DownCommand(),
    new PsCommand(),
    new LogsCommand(),
    new TestCommand(),
    new CapabilitiesCommand(),
    new MeshServicesCommand(),
    new RelayCommand(),
    new AuthorityInitCommand(),
    new AuthorityIssueCommand(),
    new AuthorityBundleCommand(),
    new DemoServerCommand(),
    new DemoClientCommand(),
];

return await Dispatcher.RunAsync(commands, args, new Output(Console.Out, Console.Error)).ConfigureAwait(false);
