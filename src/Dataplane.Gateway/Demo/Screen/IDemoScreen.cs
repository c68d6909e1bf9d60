namespace Dataplane.Gateway.Demo.Screen;

/// <summary>Shows the demo as it goes.</summary>
internal interface IDemoScreen : IDisposable
{
    /// <summary>Shows one step of building the world.</summary>
    void Progress(string text);

    /// <summary>Shows the state of things; called a few times per second.</summary>
    void Show(DemoBoard board);

    /// <summary>Ends the live view: what follows is printed below it.</summary>
    void Leave(DemoBoard? last);
}
