using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Demo.Traffic;

Command[] commands =
[
    new RunCommand(),
    new CheckCommand(),
    new ExplainCommand(),
    new ReplayCommand(),
    new DemoCommand(),
    new CapabilitiesCommand(),
    new DemoServerCommand(),
    new DemoClientCommand(),
];

return await Dispatcher.RunAsync(commands, args, new Output(Console.Out, Console.Error)).ConfigureAwait(false);
